package send

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		give string
		want time.Duration
	}{
		{give: ""},
		{give: "0"},
		{give: "5", want: 5 * time.Second},
		{give: "  5\t", want: 5 * time.Second},
		{give: "86400", want: 24 * time.Hour},
		{give: "604800", want: maxRetryAfter},
		{give: "604801", want: maxRetryAfter},
		{give: "315360000", want: maxRetryAfter}, // 10 years
		{give: "99999999999999999999999999", want: maxRetryAfter},
		{give: "-5"},
		{give: "+5"},
		{give: "5.5"},
		{give: "5s"},
		{give: "0x10"},
		{give: "1_000"},
		{give: "soon"},
		{give: "NaN"},
		{give: now.Add(90 * time.Second).Format(http.TimeFormat), want: 90 * time.Second},
		{give: now.Add(90 * time.Second).Format("Monday, 02-Jan-06 15:04:05 MST"), want: 90 * time.Second},
		{give: now.Add(90 * time.Second).Format(time.ANSIC), want: 90 * time.Second},
		{give: now.Add(-time.Hour).Format(http.TimeFormat)},
		{give: now.Format(http.TimeFormat)},
		{give: now.AddDate(10, 0, 0).Format(http.TimeFormat), want: maxRetryAfter},
		{give: "Sat, 30 May 9999 10:00:00 GMT", want: maxRetryAfter},
		{give: "2026-05-30T11:00:00Z"},
	}
	for _, test := range tests {
		require.Equal(t, test.want, retryAfter(test.give, now), test.give)
	}
}

func TestRetryAfterIsHeardFromFailuresOnly(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	for status, want := range map[string]time.Duration{
		"200 OK": 0, "410 Gone": 0, "302 Found": time.Minute, "404 Not Found": time.Minute,
		"429 Too Many Requests": time.Minute, "503 Service Unavailable": time.Minute,
	} {
		got := s.Send(t.Context(), post("http://"+listen(t, answer("HTTP/1.1 "+status+"\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"))))
		require.Equal(t, want, got.Outcome.RetryAfter, status)
		require.NotEqual(t, webhook.ReasonNetwork, got.Outcome.Reason)
	}
}
