# One static binary on a base without shell, package manager or root.
#
#   docker build --build-arg VERSION=v1.2.3 --tag posthaste .

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src

# The modules change seldom: a layer of their own keeps builds short.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /posthaste ./cmd/posthaste

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /posthaste /posthaste
USER nonroot:nonroot
EXPOSE 8080
# There is no HEALTHCHECK here: what is healthy depends on the role, and
# docker-compose.yml and every orchestrator state their own.
ENTRYPOINT ["/posthaste"]
CMD ["serve"]
