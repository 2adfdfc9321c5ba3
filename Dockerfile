# One image for all services of docker-compose.yml; no torch unless a build argument adds it:
#
#   docker build --tag nearfield .
#   docker build --tag nearfield:models --build-arg EXTRAS=--models .
FROM python:3.11-slim

# Words for scripts/setup, which is also what a clone is set up with. Without any, every package is the
# one in requirements.txt, by its hash; what --models adds is not pinned.
ARG EXTRAS=""

WORKDIR /app
COPY . .
RUN scripts/setup --locked ${EXTRAS}

RUN useradd --system --uid 10001 --create-home nearfield \
    && install --directory --owner=nearfield --group=nearfield /data /models /keys
USER nearfield

ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NEARFIELD_DATA=/data \
    NEARFIELD_KEYS_FILE=/keys/keys.json \
    NEARFIELD_HOST=0.0.0.0 \
    NEARFIELD_PORT=8000
VOLUME ["/data", "/models", "/keys"]
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

ENTRYPOINT ["nearfield"]
CMD ["serve"]
