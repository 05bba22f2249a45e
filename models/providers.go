package models

import "context"

// ProvidersInUse lists the providers that have webhooks, be they of any tenant
// and in any status, by the alphabet. It looks at every webhook.
func (s *Store) ProvidersInUse(ctx context.Context) ([]string, error) {
	var names []string
	err := query(s.readAll(ctx), &names, "SELECT DISTINCT provider FROM webhooks ORDER BY provider")
	return names, s.translate(err)
}
