package main

import (
	"context"
	"log/slog"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"posthaste/config"
	"posthaste/workflows"
)

// dialUpkeep connects to look after the namespace. It has no keys: it starts no
// workflows, and what it writes says nothing of any tenant.
func dialUpkeep(ctx context.Context, settings config.Temporal) (client.Client, error) {
	return dialTemporal(ctx, settings, nil, slog.New(slog.DiscardHandler), func(o *client.Options) {
		o.DataConverter = closed{converter.GetDefaultDataConverter()}
	})
}

// prepareTemporal brings the namespace up to date and returns the names of the
// search attributes that it added, also when it fails after that. It may be run
// again at any time.
func prepareTemporal(ctx context.Context, settings config.Temporal) (added []string, err error) {
	c, err := dialUpkeep(ctx, settings)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if added, err = addAttributes(ctx, c, settings.TemporalNamespace); err != nil {
		return nil, err
	}
	if err := workflows.EnsureSchedules(ctx, c); err != nil {
		return added, failed(err, "Temporal's schedule %s could not be set: %v", workflows.PruneScheduleID, err)
	}
	return added, nil
}

// sealedEncoding is how payloads that need a key say so, ours and those of others.
const sealedEncoding = "binary/encrypted"

// closed reads what is sealed as if it were empty. The SDK opens the summary of a
// schedule before it lets anybody replace it, and posthaste dev once sealed that.
type closed struct{ converter.DataConverter }

// FromPayload leaves the value as it is where the payload is sealed.
func (c closed) FromPayload(payload *commonpb.Payload, value any) error {
	if string(payload.GetMetadata()[converter.MetadataEncoding]) == sealedEncoding {
		return nil
	}
	return c.DataConverter.FromPayload(payload, value)
}
