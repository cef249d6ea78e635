# The image of mss-gateway: `docker build -t mss-gateway .` It runs as a user without rights, and nothing in it needs
# to be written: everything goes to the volume /var/lib/mss-gateway. deploy/container/compose.yaml shows how to run it.

FROM debian:12-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY deploy/container/constraints.txt ./
# No resolver: the file names every package there is to install, each with its hash.
RUN python3 -m venv /opt/mss-gateway/.venv \
    && /opt/mss-gateway/.venv/bin/python -I -m pip install --no-cache-dir --disable-pip-version-check \
        --no-deps --require-hashes -r constraints.txt \
    && /opt/mss-gateway/.venv/bin/python -I -m pip uninstall -y pip setuptools
COPY mss_gateway /opt/mss-gateway/mss_gateway
COPY deploy/container/mss-gateway /opt/mss-gateway/.venv/bin/mss-gateway
RUN site=$(/opt/mss-gateway/.venv/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
    && echo /opt/mss-gateway > "$site/mss_gateway.pth" \
    && chmod 755 /opt/mss-gateway/.venv/bin/mss-gateway \
    && /opt/mss-gateway/.venv/bin/python -m compileall -q /opt/mss-gateway

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-minimal libpython3-stdlib ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 mss-gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/mss-gateway --shell /usr/sbin/nologin \
        mss-gateway \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/mss-gateway
COPY --from=build /opt/mss-gateway /opt/mss-gateway
ENV PATH=/opt/mss-gateway/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MSS_GATEWAY_CONFIG=/etc/mss-gateway/gateway.toml \
    MSS_GATEWAY_GATEWAY_STATE=/var/lib/mss-gateway \
    MSS_GATEWAY_LISTEN_MTA=0.0.0.0:2525 \
    MSS_GATEWAY_LISTEN_SUBMISSION=0.0.0.0:2587 \
    MSS_GATEWAY_LISTEN_SUBMISSIONS=0.0.0.0:2465 \
    MSS_GATEWAY_LISTEN_IMAP=0.0.0.0:2143 \
    MSS_GATEWAY_LISTEN_IMAPS=0.0.0.0:2993
USER 10001:10001
VOLUME /var/lib/mss-gateway
# A user without rights binds no port below 1024: the host's 25, 587, 465, 143 and 993 lead here.
EXPOSE 2525 2587 2465 2143 2993
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["mss-gateway", "health"]
ENTRYPOINT ["mss-gateway"]
CMD ["serve"]
