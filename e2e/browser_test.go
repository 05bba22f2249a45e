package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// screens is where pages are kept as pictures, for a person to look at.
var screens = flag.String("screens", "", "write a picture of each page of the dashboard into this folder")

// pagePatience is how long a page may take to show what is waited for; CI's
// machines are slow.
const pagePatience = 20 * time.Second

// browser is one window of a real Chromium with cookies of its own.
type browser struct {
	t    *testing.T
	base string
	ctx  context.Context //nolint:containedctx // the window is the context

	mu         sync.Mutex
	complaints []string // what Chromium logged as an error: scripts and policies
}

// needChromium skips where Chromium is missing, unless POSTHASTE_TEST_REQUIRE
// names it.
func needChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if slices.Contains(strings.Split(os.Getenv("POSTHASTE_TEST_REQUIRE"), ","), "chromium") {
		t.Fatal("Chromium is required and missing")
	}
	t.Skip("Chromium is missing")
	return ""
}

// openBrowser starts a Chromium that talks to nobody but the given address.
func openBrowser(t *testing.T, base string) *browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(needChromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-GB"), chromedp.Env("TZ=Asia/Kolkata"))
	allocated, release := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(release)
	ctx, done := chromedp.NewContext(allocated)
	t.Cleanup(done)
	b := &browser{t: t, base: base, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	b.resize(1280, 800)
	return b
}

// hear notes errors of scripts and breaches of the page's policy. That a form
// was refused is no error of the page.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch found := event.(type) {
	case *log.EventEntryAdded:
		if found.Entry.Level == "error" && !strings.Contains(found.Entry.Text, "Failed to load resource") {
			b.complaints = append(b.complaints, found.Entry.Text)
		}
	case *cdpruntime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprint(found.ExceptionDetails))
	}
}

// silent fails the test when Chromium had anything to complain about.
func (b *browser) silent() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.complaints)
}

// do runs steps and fails with what they were for.
func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pagePatience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.picture("failed")
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		require.NoError(b.t, err, "%s, at %s:\n%s", what, where, text)
	}
}

func (b *browser) resize(width, height int64) {
	b.t.Helper()
	b.do("resize", chromedp.EmulateViewport(width, height))
}

// prefer sets what the browser says the person prefers: light or dark.
func (b *browser) prefer(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(b.t, err)
}

// withoutScripts switches JavaScript off, in pages alone.
func (b *browser) withoutScripts() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(b.t, err)
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

// at waits until the browser shows a page.
func (b *browser) at(path string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		where, err := chromedp.Run(b.ctx, chromedp.Location())
		found, parseErr := url.Parse(where)
		return err == nil && parseErr == nil && found.Path == path
	}, pagePatience, 50*time.Millisecond, "never at %s", path)
}

// press clicks what the selector finds.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.do("press "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// named clicks the button or link that has this text.
func (b *browser) named(text string) {
	b.t.Helper()
	xpath := fmt.Sprintf(`//main//*[self::button or self::a][normalize-space(.)=%q]`, text)
	b.do("press "+text, chromedp.Click(chromedp.Search(xpath)))
}

// fill replaces what a field holds.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do("fill "+selector, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SetValue(chromedp.CSS(selector), text))
}

// reads waits until a part of the page holds the text.
func (b *browser) reads(selector, text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		shown, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
		return err == nil && strings.Contains(shown, text)
	}, pagePatience, 50*time.Millisecond, "%s never read %q", selector, text)
}

// value returns what a field holds.
func (b *browser) value(selector string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pagePatience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Value(chromedp.CSS(selector)))
	require.NoError(b.t, err, selector)
	return text
}

// ask evaluates an expression in the page.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pagePatience)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	require.NoError(b.t, err, expression)
	return answer
}

// picture keeps the page as it looks, where a folder was given.
func (b *browser) picture(name string) {
	if *screens == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.MkdirAll(*screens, 0o755))
	file := strings.NewReplacer("/", "_", "?", "_", "=", "_").Replace(b.t.Name() + "-" + name)
	require.NoError(b.t, os.WriteFile(filepath.Join(*screens, file+".png"), picture, 0o644))
}

// signIn signs in with a credential.
func (b *browser) signIn(credential string) {
	b.t.Helper()
	b.fill("#credential", credential)
	b.press(".sign-in button")
}
