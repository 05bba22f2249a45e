package keyset

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"posthaste/errs"
)

// A rotation takes three keysets, each given to every process before the next
// one is made: a process that still has the one before understands all that the
// others seal. With one step less, a process that was not restarted yet would
// meet values of a key that it does not have.

// Add returns the keyset with a new key, which opens but does not seal yet.
// errs.Invalid when the key that the last Add made has not been promoted.
func Add(line string) (string, error) {
	return change(line, func(handle *keyset.Handle, manager *keyset.Manager) error {
		if !sealsWithNewest(handle) {
			return errs.New(errs.Invalid, "the keyset's newest key does not seal yet: `posthaste keygen --promote` makes it do so, there is no need for another one")
		}
		_, err := manager.Add(aead.AES256GCMKeyTemplate())
		return err
	})
}

// Promote returns the keyset with its newest key as the one that seals.
// errs.Invalid when it does so already.
func Promote(line string) (string, error) {
	return change(line, func(handle *keyset.Handle, manager *keyset.Manager) error {
		if sealsWithNewest(handle) {
			return errs.New(errs.Invalid, "the keyset's newest key seals already: `posthaste keygen --add` makes a newer one")
		}
		newest, err := handle.Entry(handle.Len() - 1)
		if err != nil {
			return err
		}
		return manager.SetPrimary(newest.KeyID())
	})
}

// Retire returns the keyset with the sealing key alone: what another one sealed
// does not open any more. errs.Invalid when there is no other one, or when the
// newest has not been promoted and would be lost.
func Retire(line string) (string, error) {
	return change(line, func(handle *keyset.Handle, manager *keyset.Manager) error {
		switch {
		case !sealsWithNewest(handle):
			return errs.New(errs.Invalid, "the keyset's newest key does not seal yet: go on with `posthaste keygen --promote` first")
		case handle.Len() == 1:
			return errs.New(errs.Invalid, "the keyset holds one key alone: there is none to retire")
		}
		for i := range handle.Len() - 1 {
			entry, err := handle.Entry(i)
			if err != nil {
				return err
			}
			if err := manager.Delete(entry.KeyID()); err != nil {
				return err
			}
		}
		return nil
	})
}

// sealsWithNewest reports whether the last key, which Add appended, is the one
// that seals.
func sealsWithNewest(handle *keyset.Handle) bool {
	newest, err := handle.Entry(handle.Len() - 1)
	return err == nil && newest.IsPrimary()
}

// change reads a keyset, alters it and writes it. What goes wrong in between
// says nothing of the keys.
func change(line string, alter func(*keyset.Handle, *keyset.Manager) error) (string, error) {
	handle, err := decode(line)
	if err != nil {
		return "", err
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := alter(handle, manager); err != nil {
		return "", fmt.Errorf("change the keyset: %w", err)
	}
	changed, err := manager.Handle()
	if err != nil {
		return "", fmt.Errorf("change the keyset: %w", err)
	}
	return encode(changed)
}
