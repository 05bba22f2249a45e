package dashboard

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"posthaste/webhook/signing"
)

// Schemes of profiles that have snippets.
const (
	schemeStandard = "standard-webhooks"
	schemeHMAC     = "hmac"
)

//go:embed snippets
var snippetFiles embed.FS

// snippet is code that verifies a signature.
type snippet struct {
	Language string // also the ending of its file
	Label    string
	Text     string
}

var languages = []snippet{{Language: "go", Label: "Go"}, {Language: "js", Label: "Node"}, {Language: "py", Label: "Python"}, {Language: "php", Label: "PHP"}}

// snippetsOf writes the code that verifies what a scheme signs, in each
// language; none for a scheme that signs nothing. Each is a function `verified`
// of the secret, the headers and the body, whole with its imports.
func snippetsOf(spec signing.Spec) ([]snippet, error) {
	if spec.Scheme != schemeStandard && spec.Scheme != schemeHMAC {
		return nil, nil
	}
	list := make([]snippet, len(languages))
	for i, one := range languages {
		var text strings.Builder
		if err := snippetTemplates.ExecuteTemplate(&text, spec.Scheme+"."+one.Language+".txt", schemeParts(spec)); err != nil {
			return nil, fmt.Errorf("write how to verify in %s: %w", one.Label, err)
		}
		one.Text = strings.TrimSpace(text.String()) + "\n"
		list[i] = one
	}
	return list, nil
}

// parts is a scheme as the snippets spell it out.
type parts struct {
	signing.Spec
	Pattern string   // of the header's value; "" when the value is the signature alone
	Groups  []string // what the pattern finds, in order: id, t, sig
	Signed  []piece  // what the digest covers, in order
	Time    bool     // a time is sent
	Millis  bool
}

// piece is text as it stands, or a name: id, t or body.
type piece struct{ Text, Name string }

var placeholder = regexp.MustCompile(`\{(id|t|body|sig)\}`)

func schemeParts(spec signing.Spec) parts {
	p := parts{Spec: spec, Signed: pieces(spec.Content), Millis: spec.TimeUnit == "milliseconds", Time: spec.TimeHeader != ""}
	if spec.Value == "{sig}" || spec.Scheme != schemeHMAC {
		return p
	}
	for _, one := range pieces(spec.Value) {
		switch one.Name {
		case "":
			p.Pattern += quoted(one.Text)
		case "t":
			p.Pattern += "([0-9]{1,15})"
			p.Time = true
		default:
			p.Pattern += "(.+?)"
		}
		if one.Name != "" {
			p.Groups = append(p.Groups, one.Name)
		}
	}
	return p
}

// pieces takes a template of a profile apart.
func pieces(text string) []piece {
	var list []piece
	for text != "" {
		at := placeholder.FindStringSubmatchIndex(text)
		if at == nil {
			return append(list, piece{Text: text})
		}
		if at[0] > 0 {
			list = append(list, piece{Text: text[:at[0]]})
		}
		list = append(list, piece{Name: text[at[2]:at[3]]})
		text = text[at[1]:]
	}
	return list
}

// quoted writes text as a pattern that all four languages read alike, whatever
// they put around it.
func quoted(text string) string {
	return strings.NewReplacer("/", `\/`, `"`, `\x22`, "'", `\x27`, "`", `\x60`).Replace(regexp.QuoteMeta(text))
}

// Sends tells whether the pattern finds a part.
func (p parts) Sends(name string) bool {
	for _, one := range p.Groups {
		if one == name {
			return true
		}
	}
	return false
}

// Covers tells whether the digest covers a part.
func (p parts) Covers(name string) bool {
	for _, one := range p.Signed {
		if one.Name == name {
			return true
		}
	}
	return false
}

var snippetTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"quote": strconv.QuoteToASCII,
	"json": func(text string) (string, error) {
		quoted, err := json.Marshal(text)
		return string(quoted), err
	},
	"php": func(text string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
	},
	"lower": strings.ToLower,
	"title": titled,
	"digest": func(name string) (string, error) {
		known, ok := map[string]string{"sha1": "sha1.New", "sha256": "sha256.New", "sha384": "sha512.New384", "sha512": "sha512.New"}[name]
		if !ok {
			return "", errors.New("no such digest in Go: " + name)
		}
		return known, nil
	},
	"add": func(a, b int) int { return a + b },
}).ParseFS(snippetFiles, "snippets/*.txt"))
