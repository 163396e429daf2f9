# The sidecar's image. Everything it needs is in the build context and the npm lock file.
#   docker build -t writ .
# BASE may be any image with Node >= 24.15 and npm in /usr/local.
ARG BASE=docker.io/library/node:24-bookworm-slim

FROM ${BASE} AS build
WORKDIR /build
# Behind a gateway that opens TLS: mount its authorities and name that file here. It is not kept in the image.
ARG NODE_EXTRA_CA_CERTS
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=optional
COPY tsconfig*.json ./
COPY src src
RUN npm run build
# Once compiled, only what production needs goes on; nothing that an install script made is in it.
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM ${BASE}
# Nothing in the running image installs packages. A process whose user may not read its program cannot be traced, leaves
# no core file, and has its /proc/PID/{mem,environ} shut (would_dump in Linux).
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
 && install -d -m 0755 /etc/writ \
 && chmod 0711 /usr/local/bin/node \
 && install -d -m 0700 -o 65532 -g 65532 /var/lib/writ
WORKDIR /opt/writ
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY src/cli/bin.js src/cli/bin.js
COPY rego/dist rego/dist
COPY rego/writ rego/writ
COPY rego/examples rego/examples
COPY rego/compiler/opa.wasm.br* rego/compiler/
COPY LICENSE ./
COPY --chmod=0755 deploy/image/writ /usr/local/bin/writ

# The agent's uid must be another one: who shares the sidecar's uid can read its keys.
USER 65532:65532
# The home is made inside the volume, so that its mode (0700) is ours whoever made the volume.
ENV WRIT_HOME=/var/lib/writ/home NODE_ENV=production
VOLUME /var/lib/writ
# `writ.yaml` is looked for in the working folder.
WORKDIR /etc/writ
EXPOSE 3128 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["writ", "doctor", "--ready"]
ENTRYPOINT ["writ"]
CMD ["serve"]
