"""Speaks with the OpenID Connect provider: finds its addresses, trades the code for tokens, checks the ID token.

Loaded on first use only: httpx and cryptography take time and memory that a gateway without single sign-on saves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from gateway.errors import ControlError
from gateway.settings.identity import SingleSignOn

TIMEOUT_S = 10
KNOWN_FOR_S = 3600
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signed with the provider's private key: a client secret that leaked makes no tokens."""
LEEWAY_S = 60


class Client:
    def __init__(self, settings: SingleSignOn) -> None:
        self._settings = settings
        self._issuer = settings.issuer.rstrip("/")
        self._found: Mapping[str, Any] = {}
        self._keys: Mapping[str | None, Any] = {}
        self._found_at = 0.0

    async def sign_in_url(self, parameters: Mapping[str, str]) -> str:
        async with self._http() as http:
            endpoint = (await self._discovered(http))["authorization_endpoint"]
        return str(httpx.URL(endpoint).copy_merge_params(parameters))

    async def claims(self, *, code: str, verifier: str, nonce: str, redirect_uri: str) -> Mapping[str, Any]:
        async with self._http() as http:
            found = await self._discovered(http)
            tokens = await self._tokens(http, str(found["token_endpoint"]), code, verifier, redirect_uri)
            claims = await self._checked(http, str(tokens.get("id_token", "")), nonce)
            return await self._with_email(http, claims, str(tokens.get("access_token", "")))

    # ------------------------------------------------------------------------------------------ the conversation

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def _discovered(self, http: httpx.AsyncClient) -> Mapping[str, Any]:
        """OpenID Connect Discovery 1.0; the document must be of the issuer that was asked for."""
        if not self._found or time.monotonic() - self._found_at > KNOWN_FOR_S:
            found = await self._json(http, "GET", f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                raise ControlError(f"{self._issuer} calls itself {found.get('issuer')!r}. Check sign_in.oidc.issuer.")
            missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys()
            if missing:
                raise ControlError(f"{self._issuer} does not say its {', '.join(sorted(missing))}.")
            self._found, self._keys, self._found_at = found, {}, time.monotonic()
        return self._found

    async def _tokens(
        self, http: httpx.AsyncClient, endpoint: str, code: str, verifier: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": verifier,
        }
        if self._settings.client_secret is not None:
            form["client_secret"] = self._settings.client_secret
        return await self._json(http, "POST", endpoint, data=form)

    async def _checked(self, http: httpx.AsyncClient, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is the provider's, for us, of this sign-in, and still good."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise ControlError(f"The ID token is signed with {header.get('alg')!r}, which is not accepted.")
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._key(http, header),
                algorithms=[header["alg"]],
                audience=self._settings.client_id,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "sub", "aud"]},
            )
        except jwt.PyJWTError as exc:
            raise ControlError(f"The ID token is not good: {exc}.") from exc
        if str(claims["iss"]).rstrip("/") != self._issuer:
            raise ControlError("The ID token is of another issuer.")
        if claims.get("nonce") != nonce:
            raise ControlError("The ID token is of another sign-in.")
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._settings.client_id:
            raise ControlError("The ID token is for somebody else too.")
        return claims

    async def _key(self, http: httpx.AsyncClient, header: Mapping[str, Any]) -> Any:
        """The provider's public key; its set is read again for one that is not known yet, since they rotate."""
        kid = header.get("kid")
        if kid not in self._keys:
            found = await self._json(http, "GET", str(self._found["jwks_uri"]))
            keys = jwt.PyJWKSet.from_dict(dict(found)).keys
            self._keys = {key.key_id: key for key in keys}
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise ControlError("The ID token is signed with a key that the provider does not know.")
        return self._keys[kid]

    async def _with_email(self, http: httpx.AsyncClient, claims: dict[str, Any], token: str) -> Mapping[str, Any]:
        """Some providers put the address only there. Its answer counts for the same person only (OIDC Core 5.3.2)."""
        endpoint = self._found.get("userinfo_endpoint")
        if "email" in claims or not endpoint or not token:
            return claims
        more = await self._json(http, "GET", str(endpoint), headers={"authorization": f"Bearer {token}"})
        return {**more, **claims} if more.get("sub") == claims["sub"] else claims

    async def _json(self, http: httpx.AsyncClient, method: str, url: str, **how: Any) -> Mapping[str, Any]:
        try:
            answer = await http.request(method, url, **how)
            body = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError) as exc:
            raise ControlError(f"{self._settings.label} does not answer ({type(exc).__name__}).") from exc
        if answer.status_code != 200 or not isinstance(body, dict):
            said = body.get("error_description") or body.get("error") if isinstance(body, dict) else None
            raise ControlError(
                f"{self._settings.label} answered {answer.status_code}: {str(said or 'no reason')[:200]}"
            )
        return body
