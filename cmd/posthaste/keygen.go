package main

import (
	"fmt"

	"posthaste/config"
	"posthaste/keyset"
)

type keygenCommand struct {
	Add     bool `xor:"step" help:"Step 1 of a rotation: print the present keyset with a new key, which opens but does not seal yet."`
	Promote bool `xor:"step" help:"Step 2: print the present keyset with its newest key as the one that seals."`
	Retire  bool `xor:"step" help:"Step 5: print the present keyset with the sealing key alone."`
	config.Sealing
}

// Help explains a rotation of keys.
func (keygenCommand) Help() string {
	return `Without a flag it prints a new keyset. With one it changes the keyset of POSTHASTE_ENCRYPTION_KEYSET and prints the result.

Keys rotate while everything is running, in this order:

1. posthaste keygen --add; give the line to every process and restart them one after the other. All of them now open what the new key will seal.

2. posthaste keygen --promote; the same. From now on the new key seals.

3. posthaste rewrap, with that line: the database then holds nothing of the old key.

4. Wait until Temporal holds nothing of it either: the workflows that were open have ended, and the namespace's retention has passed.

5. posthaste keygen --retire; the same. The old key opens nothing any more and may be forgotten.

Examples:

  posthaste keygen
  POSTHASTE_ENCRYPTION_KEYSET=$LINE posthaste keygen --add`
}

// Run prints one line on stdout and nothing else.
func (k keygenCommand) Run(c console) error {
	present := k.EncryptionKeyset.Reveal()
	var line string
	var err error
	switch {
	case k.Add:
		line, err = keyset.Add(present)
	case k.Promote:
		line, err = keyset.Promote(present)
	case k.Retire:
		line, err = keyset.Retire(present)
	default:
		line, err = keyset.Generate()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, line)
	return err
}
