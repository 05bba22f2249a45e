package main

import (
	"fmt"

	"posthaste/config"
	"posthaste/keyset"
)

type keygenCommand struct {
	Rotate bool `help:"Add a new key to the present keyset instead: it seals from now on, and the old keys still open what they sealed."`
	config.Sealing
}

// Run prints one line on stdout and nothing else.
func (k keygenCommand) Run(c console) error {
	write := keyset.Generate
	if k.Rotate {
		write = func() (string, error) { return keyset.Rotate(k.EncryptionKeyset.Reveal()) }
	}
	line, err := write()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, line)
	return err
}
