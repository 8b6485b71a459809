# A container with stenod: its Debian packages, built in the first stage and installed in the second.
#
#     docker build -t stenod .
#     docker run -p 50051:50051 -v /etc/stenod:/etc/stenod:ro --read-only --stop-timeout 60 \
#         -e STENOD_LISTEN=tls:0.0.0.0:50051 stenod
#
# It runs as user 10001, who must be able to read the keys and tokens there: give them to that number
# (chown 10001), or, where the group steno has them, add --group-add "$(getent group steno | cut -d: -f3)".
#
# A container's own loopback is of no use, so it has to be told where to listen: with certificates as
# above (tls-cert and tls-key in the settings), or with STENOD_ALLOW_PLAINTEXT_BEYOND_LOOPBACK=yes
# where the network is safe.  docs/operations.md has the rest.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential
COPY . /build/steno
WORKDIR /build/steno
RUN apt-get build-dep -y --no-install-recommends -P nocheck ./ \
    && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -b -us -uc -Pnocheck

FROM debian:12-slim
COPY --from=build /build/libsteno0_*.deb /build/libsteno-client0_*.deb /build/stenod_*.deb \
    /build/steno_*.deb /build/steno-model-en_*.deb /packages/
RUN apt-get update && apt-get install -y --no-install-recommends /packages/*.deb \
    && rm -rf /packages /var/lib/apt/lists/* \
    && useradd --uid 10001 --gid steno --no-create-home --shell /usr/sbin/nologin stenod
# By its number, as Kubernetes wants it to know that it is not root.
USER 10001
EXPOSE 50051
ENV STENOD_CONFIG=/etc/stenod/stenod.conf
# Drains on SIGTERM, for which --stop-timeout must leave the time (drain-seconds).
ENTRYPOINT ["stenod"]
