package models

// KeptBytes is what the store says that its lists of webhooks take.
func (s *Store) KeptBytes() int {
	s.subscriptions.mu.Lock()
	defer s.subscriptions.mu.Unlock()
	return s.subscriptions.bytes
}
