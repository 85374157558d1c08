# syntax=docker/dockerfile:1
# Callgate in a container:
#   docker build -t callgate .
#   docker run --rm -p 4000:4000 -v callgate:/data -e OPENAI_API_KEY callgate

FROM python:3.13-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What it depends on first: these layers stay while only Callgate changes. The locks pin every file by its hash.
COPY deploy/*.lock deploy/
RUN python -m venv /opt/callgate && /opt/callgate/bin/pip install --require-hashes -r deploy/requirements.lock \
 && python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r deploy/build.lock
COPY . .
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/callgate/bin/pip install --no-index --no-deps /dist/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data callgate
COPY --from=build /opt/callgate /opt/callgate
USER callgate
WORKDIR /data
ENV PATH=/opt/callgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CALLGATE_SERVER__HOST=0.0.0.0 \
    CALLGATE_SERVER__DATA=/data
# The store, the journal and the secret live here; a configuration goes to /data/callgate.yaml.
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=15s --timeout=3s --start-period=15s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
gate = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('CALLGATE_SERVER__PORT', 4000)), timeout=2); \
gate.request('GET', '/healthz'); \
raise SystemExit(gate.getresponse().status != 200)"]
# SIGTERM lets calls in flight end (server.drain_s): give it time with `docker stop -t 40`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["callgate"]
CMD ["serve"]
