# One image for everything: the agent, the demo's web server and its load
# generator are one static binary.
#
# The build stage runs on the golang image. GO_IMAGE names another one; it needs
# Go at /usr/local/go and nothing else, because every RUN is in exec form.
# deploy/base.sh makes one where nothing can be pulled. Modules are downloaded,
# or taken from a vendor directory when the build context has one.
ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS build
LABEL kecho.stage=build
ENV CGO_ENABLED=0 GOCACHE=/tmp/go-build GOFLAGS="-trimpath -buildvcs=false"
WORKDIR /src
COPY . .
RUN ["/usr/local/go/bin/go", "build", "-ldflags=-s -w", "-o", "/out/kecho", "./cmd/kecho"]

FROM scratch
COPY --from=build /out/kecho /kecho
# A number, because there is no /etc/passwd: the user that "nonroot" images use.
USER 65532:65532
# 8080 clients, 7940 the admin API, 7946 gossip, 7947 links.
EXPOSE 8080 7940 7946 7946/udp 7947
# The agent of this container, asked by the same binary: there is no shell.
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
	CMD ["/kecho", "status", "--wait", "ready", "--timeout", "2s"]
ENTRYPOINT ["/kecho"]
CMD ["agent"]
