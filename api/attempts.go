package api

import (
	"encoding/json"

	"posthaste/models"
	"posthaste/webhook"
)

// attemptDetailBody is one attempt in full: what was sent and what came back,
// unless there was no room for it.
type attemptDetailBody struct {
	attemptBody
	Detail   *string      `json:"detail"`
	Omitted  bool         `json:"omitted"`
	Request  requestBody  `json:"request"`
	Response responseBody `json:"response"`
}

// requestBody is the request as it was sent, headers in order. Credentials
// among the webhook's own headers were masked before they were stored.
type requestBody struct {
	URL     string       `json:"url"`
	Headers []headerBody `json:"headers"`
	Body    string       `json:"body"`
}

type responseBody struct {
	Headers   []headerBody `json:"headers"`
	Body      string       `json:"body"`
	Truncated bool         `json:"truncated"`
}

type headerBody struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func showAttemptDetail(a models.Attempt) attemptDetailBody {
	return attemptDetailBody{
		attemptBody: showAttempt(a),
		Detail:      optionalText(a.Detail),
		Omitted:     a.Omitted,
		Request:     requestBody{URL: a.RequestURL, Headers: showHeaders(a.RequestHeaders), Body: bodyText(a.RequestBody)},
		Response: responseBody{
			Headers: showHeaders(a.ResponseHeaders), Body: bodyText(a.ResponseBody), Truncated: a.ResponseTruncated,
		},
	}
}

func showHeaders(headers [][2]string) []headerBody {
	shown := make([]headerBody, len(headers))
	for i, header := range headers {
		shown[i] = headerBody{Name: header[0], Value: bodyText([]byte(header[1]))}
	}
	return shown
}

// attributesOf returns an event's attributes; none when they cannot be read,
// which only a hand at the table could bring about.
func attributesOf(e models.Event) webhook.Attributes {
	var attributes webhook.Attributes
	if json.Unmarshal(e.Attributes, &attributes) != nil {
		return webhook.Attributes{}
	}
	return attributes
}
