package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"posthaste/keyset"
)

// keysetCheck is what the check file holds, sealed.
const keysetCheck = "the keyset of this folder"

// keyset returns the line of encryption keys to use in this folder: the given
// one, or without one the folder's own. The file keyset-check, sealed at the
// first start, shows at every later one whether the keys are still those that
// sealed the database; with others, each request that needs a secret would fail.
func (d dataDir) keyset(given string) (string, error) {
	line, origin := given, "POSTHASTE_ENCRYPTION_KEYSET"
	check, err := os.ReadFile(d.file(fileCheck))
	first := errors.Is(err, fs.ErrNotExist)
	if err != nil && !first {
		return "", failed(err, "cannot read %s: %v", d.file(fileCheck), err)
	}
	if given == "" {
		origin = d.file(fileKeyset)
		if !first && !d.holds(fileKeyset) {
			return "", failed(nil, "%s is gone, and with it the keys to the webhook secrets in %s: restore it, set POSTHASTE_ENCRYPTION_KEYSET to its line, or delete the data directory to start anew", origin, d.file(fileDatabase))
		}
		if line, err = d.secret(fileKeyset, keyset.Generate); err != nil {
			return "", err
		}
	}
	keys, err := keyset.Parse(line)
	if err != nil {
		return "", failed(err, "%s holds no keyset: restore the whole line, or delete the data directory %s to start anew", origin, d.path)
	}
	if first {
		return line, d.sealCheck(keys)
	}
	if _, err := keys.Open(check, []byte(fileCheck)); err != nil {
		return "", failed(err, "%s does not hold the keys that sealed the webhook secrets in %s: restore it, or delete the data directory to start anew", origin, d.file(fileDatabase))
	}
	if !keys.Current(check) {
		return line, d.sealCheck(keys) // or the old key could never be retired
	}
	return line, nil
}

func (d dataDir) sealCheck(keys *keyset.Keyset) error {
	sealed, err := keys.Seal([]byte(keysetCheck), []byte(fileCheck))
	if err != nil {
		return fmt.Errorf("make %s: %w", fileCheck, err)
	}
	if err := os.WriteFile(d.file(fileCheck), sealed, 0o600); err != nil {
		return failed(err, "cannot write %s: %v", d.file(fileCheck), err)
	}
	return nil
}

// holds reports whether the file is there and not empty. One that cannot be
// read counts: whoever reads it says why.
func (d dataDir) holds(name string) bool {
	text, err := os.ReadFile(d.file(name))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return strings.TrimSpace(string(text)) != ""
}
