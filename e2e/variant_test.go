package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// variant builds the program from changed source, with the compiler's own means
// (go build -overlay): a version with a bug, or one whose clock is off. Nothing
// of it is in the program that users build.
type variant struct {
	name   string            // of the folder that it is built in
	file   string            // the source file that is changed; absolute
	change map[string]string // what stands there exactly once, and what stands there instead
	more   string            // is put at the file's end
}

// build returns the path of the binary.
func (v variant) build() (string, error) {
	text, err := os.ReadFile(v.file)
	if err != nil {
		return "", err
	}
	source := string(text)
	for old, replacement := range v.change {
		if strings.Count(source, old) != 1 {
			return "", fmt.Errorf("%s has changed: %q is not in it once", v.file, old)
		}
		source = strings.Replace(source, old, replacement, 1)
	}
	dir := filepath.Join(filepath.Dir(posthaste), v.name)
	changed, overlay, binary := filepath.Join(dir, filepath.Base(v.file)), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "posthaste")
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{v.file: changed}})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for path, content := range map[string]string{changed: source + v.more, overlay: string(replaced)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	output, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "../cmd/posthaste").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the variant %s: %w: %s", v.name, err, output)
	}
	return binary, nil
}
