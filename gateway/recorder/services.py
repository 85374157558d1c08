"""Keys and tokens of services that are known by how they look: `(kind, pattern)`, RE2 over bytes.

Where the service's prefix is too short to stand alone, the pattern asks for the exact length. Shapes are from the
services' own pages; a group is what is taken out, where the rest is only context.
"""

from __future__ import annotations

_WORD = rb"[A-Za-z0-9_-]"
_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

MODEL_SERVICES: tuple[tuple[str, bytes], ...] = (
    ("azure_openai_key", rb"\b[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}\b"),
    ("bedrock_key", rb"\b(?:ABSK[A-Za-z0-9+/]{100,}={0,2}|bedrock-api-key-[A-Za-z0-9+/]{40,}={0,2})"),
    ("elevenlabs_key", rb"\bsk_[0-9a-f]{48}\b"),
    ("fal_key", rb"\b" + _UUID + rb":[0-9a-f]{32}\b"),
    ("kaggle_token", rb"\bKGAT_[0-9a-f]{32}\b"),
    ("langsmith_key", rb"\blsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}\b"),
    ("llamacloud_key", rb"\bllx-[A-Za-z0-9]{40,}"),
    ("modal_token", rb"\ba[ks]-[A-Za-z0-9]{22}\b"),
    ("pinecone_key", rb"\bpcsk_[A-Za-z0-9_]{50,}"),
    ("runpod_key", rb"\brpa_[A-Z0-9]{40,}"),
    ("together_key", rb"\btgp_v1_" + _WORD + rb"{40,}"),
    ("vercel_token", rb"\b(?:vc[a-z]_[A-Za-z0-9]{24,}|vercel_blob_rw_[A-Za-z0-9_]{30,})"),
    ("voyage_key", rb"\bpa-[A-Za-z0-9_-]{43}\b"),
    ("wandb_key", rb"\bwandb_v1_[A-Za-z0-9_]{40,}"),
    ("zhipu_key", rb"\b[0-9a-f]{32}\.[A-Za-z0-9]{16}\b"),
)
"""Who serves models, or what is used beside them."""

CLOUDS: tuple[tuple[str, bytes], ...] = (
    ("alibaba_key", rb"\bLTAI[A-Za-z0-9]{12,}\b"),
    ("aws_signature", rb"(?i)[?&;]X-Amz-(?:Signature|Security-Token)=([A-Za-z0-9%/+=_-]{40,})"),
    ("aws_mws_key", rb"\bamzn\.mws\." + _UUID),
    ("azure_client_secret", rb"\b[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
    ("azure_devops_token", rb"\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b"),
    ("azure_sas", rb"[?&;]sig=([A-Za-z0-9%/+=]{40,})"),
    ("cloudflare_token", rb"\b(?:v1\.0-[0-9a-f]{24}-[0-9a-f]{140,}|cf[a-z]t_[A-Za-z0-9_-]{40,})"),
    ("fly_token", rb"\b(?:fo1_" + _WORD + rb"{43}|fm[12][ar]?_[A-Za-z0-9+/=]{80,})"),
    ("google_refresh_token", rb"\b1//0[A-Za-z0-9_-]{40,}"),
    ("heroku_key", rb"\bHRKU-[A-Za-z0-9_-]{36,}"),
    ("netlify_token", rb"\bnf[pco]_[A-Za-z0-9]{36,}"),
    ("openshift_token", rb"\bsha256~[A-Za-z0-9_-]{43}\b"),
    ("render_key", rb"\brnd_[A-Za-z0-9]{28,}"),
    ("scaleway_key", rb"\bSCW[A-Z0-9]{17}\b"),
    ("yandex_key", rb"\b(?:AQVN[A-Za-z0-9_-]{35,}|y0_[A-Za-z0-9_-]{50,}|YC[A-Za-z0-9_-]{38}\b)"),
)

CODE: tuple[tuple[str, bytes], ...] = (
    ("atlassian_token", rb"\b(?:AT[A-Z]TT3[A-Za-z0-9_=-]{50,}|ATBB[A-Za-z0-9]{28,})"),
    ("buildkite_token", rb"\bbk[a-z]{2}_[0-9a-f]{40}\b"),
    ("circleci_token", rb"\bCCIP(?:AT|RJ)_[A-Za-z0-9]{20,}_[0-9a-f]{40}\b"),
    ("clojars_token", rb"\bCLOJARS_[a-z0-9]{60}\b"),
    ("crates_token", rb"\bcio[A-Za-z0-9]{32}\b"),
    ("deno_token", rb"\bdd[ops]_[A-Za-z0-9]{36}\b"),
    ("docker_token", rb"\bdckr_[op]at_[A-Za-z0-9_-]{20,}"),
    ("harness_token", rb"\bpat\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}\b"),
    ("infracost_key", rb"\bico-[A-Za-z0-9]{32}\b"),
    ("jfrog_token", rb"\b(?:AKCp[A-Za-z0-9]{60,}|cmVmdGtuO[A-Za-z0-9]{50,})"),
    ("nuget_key", rb"\boy2[a-z0-9]{43}\b"),
    ("octopus_key", rb"\bAPI-[A-Z0-9]{26,32}\b"),
    ("postman_key", rb"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b"),
    ("prefect_key", rb"\bpn[ub]_[A-Za-z0-9]{36}\b"),
    ("pulumi_token", rb"\bpul-[0-9a-f]{40}\b"),
    ("rubygems_key", rb"\brubygems_[0-9a-f]{48}\b"),
    ("sonar_token", rb"\bsq[pua]_[0-9a-f]{40}\b"),
    ("sourcegraph_token", rb"\bsgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}\b"),
    ("terraform_token", rb"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("vault_token", rb"\b(?:hv[sbr]\.[A-Za-z0-9_-]{24,}|s\.[A-Za-z0-9]{24}\b)"),
)
"""Forges, registries, builds and what they are deployed with."""

DATA: tuple[tuple[str, bytes], ...] = (
    ("airtable_token", rb"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}\b"),
    ("clickhouse_key", rb"\b4b1d[A-Za-z0-9]{38}\b"),
    ("confluent_secret", rb"\bcflt[A-Za-z0-9+/]{60}"),
    ("contentful_token", rb"\bCFPAT-[A-Za-z0-9_-]{43}"),
    ("databento_key", rb"\bdb-[A-Za-z0-9]{29}\b"),
    ("maxmind_key", rb"\b[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk\b"),
    ("mongodb_secret", rb"\bmdb_sa_sk_[A-Za-z0-9_-]{40,}"),
    ("neon_key", rb"\bnapi_[a-z0-9]{60,}"),
    ("planetscale_token", rb"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,}"),
    ("supabase_key", rb"\b(?:sbp_[0-9a-f]{40}\b|sb_secret_[A-Za-z0-9_-]{20,})"),
    ("xata_key", rb"\bxau_[A-Za-z0-9]{40,}"),
)

WATCHING: tuple[tuple[str, bytes], ...] = (
    ("dynatrace_token", rb"\bdt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}\b"),
    ("grafana_token", rb"\b(?:glc_[A-Za-z0-9+/]{32,}={0,2}|glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b)"),
    ("launchdarkly_key", rb"\b(?:api|sdk|mob)-" + _UUID),
    ("new_relic_key", rb"\bNR(?:AK|AA|II|IQ|BR|JS|SP|RA)-[A-Za-z0-9_-]{19,}"),
    ("posthog_key", rb"\bphx_[A-Za-z0-9]{43}\b"),
    ("sentry_token", rb"\b(?:sntrys_eyJ[A-Za-z0-9+/=_-]{40,}|sntryu_[0-9a-f]{64}\b)"),
)

MONEY: tuple[tuple[str, bytes], ...] = (
    ("braintree_token", rb"\baccess_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[0-9a-f]{32}\b"),
    ("duffel_token", rb"\bduffel_(?:test|live)_[A-Za-z0-9_-]{43}"),
    ("easypost_key", rb"\bEZ[AT]K[A-Za-z0-9]{54}\b"),
    ("flutterwave_key", rb"\bFLW(?:SECK|PUBK)(?:_TEST)?-[0-9a-f]{32}-X\b"),
    ("lob_key", rb"\b(?:live|test)_[0-9a-f]{35}\b"),
    ("gocardless_token", rb"\b(?:live|sandbox)_[A-Za-z0-9_-]{40}\b"),
    ("razorpay_key", rb"\brzp_(?:live|test)_[A-Za-z0-9]{14,}"),
    ("shippo_token", rb"\bshippo_(?:live|test)_[0-9a-f]{40}\b"),
    ("square_token", rb"\b(?:sq0[a-z]{3}-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{60}\b)"),
    ("woocommerce_key", rb"\bc[ks]_[0-9a-f]{40}\b"),
)

TALK: tuple[tuple[str, bytes], ...] = (
    ("adafruit_key", rb"\baio_[A-Za-z0-9]{28}\b"),
    ("asana_token", rb"\b[12]/\d{10,}(?:/\d{10,})?:[0-9a-f]{32}\b"),
    ("brevo_key", rb"\bx(?:keysib|smtpsib)-[0-9a-f]{64}-[A-Za-z0-9]{16}\b"),
    ("discord_token", rb"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    ("discord_webhook", rb"\bdiscord(?:app)?\.com/api/webhooks/\d+/([A-Za-z0-9_-]{60,})"),
    ("dropbox_token", rb"\bsl\.(?:u\.)?[A-Za-z0-9_-]{100,}"),
    ("facebook_token", rb"\bEAA[A-Za-z0-9]{80,}"),
    ("figma_token", rb"\bfig[dour]+_[A-Za-z0-9_-]{40,}"),
    ("frameio_token", rb"\bfio-u-[A-Za-z0-9_=-]{64}"),
    ("hubspot_token", rb"\bpat-(?:na|eu|ap)\d-" + _UUID),
    ("instagram_token", rb"\bIG[A-Z]{2,3}[A-Za-z0-9_-]{100,}"),
    ("klaviyo_key", rb"\bpk_[0-9a-f]{34}\b"),
    ("linear_key", rb"\blin_(?:api|oauth)_[A-Za-z0-9]{40,}"),
    ("mailchimp_key", rb"\b[0-9a-f]{32}-us\d{1,2}\b"),
    ("mailgun_key", rb"\b(?:key-[0-9a-f]{32}\b|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}\b)"),
    ("mapbox_token", rb"\bsk\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}"),
    ("notion_token", rb"\b(?:ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}\b)"),
    ("readme_key", rb"\brdme_[a-z0-9]{70}\b"),
    ("resend_key", rb"\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"),
    ("salesforce_token", rb"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{80,}"),
    ("teams_webhook", rb"\.webhook\.office\.com/webhookb2/([A-Za-z0-9@/-]{60,})"),
    ("telnyx_key", rb"\bKEY0[0-9A-Z]{31}_[A-Za-z0-9]{22}\b"),
    ("trello_token", rb"\bATTA[0-9a-f]{60,}[0-9A-Za-z]{8}\b"),
    ("typeform_token", rb"\btfp_[A-Za-z0-9_.=-]{59}"),
    ("zapier_webhook", rb"\bhooks\.zapier\.com/hooks/catch/(\d+/[A-Za-z0-9/]{5,})"),
    ("zoho_token", rb"\b1000\.[0-9a-f]{32}\.[0-9a-f]{32}\b"),
)
"""Mail, chat, documents and the like."""

KEEPING: tuple[tuple[str, bytes], ...] = (
    ("age_key", rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    ("defined_key", rb"\bdnkey-[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52}"),
    ("doppler_token", rb"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,}"),
    ("ngrok_token", rb"\b[12][A-Za-z0-9]{26}_[A-Za-z0-9]{20,}\b"),
    (
        "onepassword_token",
        rb"\b(?:ops_eyJ[A-Za-z0-9+/=_-]{60,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3})",
    ),
    ("settlemint_token", rb"\bsm_[aps]at_[A-Za-z0-9]{16,}"),
    ("tailscale_key", rb"\btskey-(?:[a-z]+-)?[A-Za-z0-9]+-[A-Za-z0-9]{20,}"),
    ("wallet_key", rb"\b(?:[5KL][1-9A-HJ-NP-Za-km-z]{50,51}|xprv[1-9A-HJ-NP-Za-km-z]{107})\b"),
)
"""Networks, vaults and wallets."""

SERVICES = (*MODEL_SERVICES, *CLOUDS, *CODE, *DATA, *WATCHING, *MONEY, *TALK, *KEEPING)
