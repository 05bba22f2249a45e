package audit

import (
	"encoding/json"
	"fmt"
)

// Watch is a webhook with the retry policy that the API was given, a JSON object.
// What the policy promises is read here once more, not asked of the code that
// keeps it.
func Watch(id, tenant, retry string) (Webhook, error) {
	var policy struct {
		Mode, OnCrash string
		MaxAttempts   int
		DelaysSeconds []int
	}
	if err := json.Unmarshal([]byte(retry), &policy); err != nil {
		return Webhook{}, fmt.Errorf("retry policy %s: %w", retry, err)
	}
	w := Webhook{ID: id, Tenant: tenant, Never: policy.Mode == "never", AtMostOnce: policy.OnCrash == "unknown"}
	switch policy.Mode {
	case "never":
		w.Attempts = 1
	case "schedule":
		w.Attempts = len(policy.DelaysSeconds) + 1
	case "exponential":
		w.Attempts = policy.MaxAttempts
	}
	if w.Attempts < 1 {
		return Webhook{}, fmt.Errorf("retry policy %s does not say how many attempts it has", retry)
	}
	return w, nil
}
