package payload_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// These tests show that a Spec alone says everything that the bodies of the
// shipped providers need.

const marketingForm = `
format: form
form:
  groups:
    head:
      - {key: url, value: $webhook.url}
      - {key: type, value: $event.type}
      - {key: date_time, value: $event.occurredAt.offset}
      - {key: initiated_from, value: $event.source, map: {api: admin}}
      - {key: initiated_by, value: $event.attributes.initiatedBy ?? $event.source}
    no list:
      - {key: list, value: 0}
    lists:
      - {key: list, value: $event.attributes.listIds, join: ","}
    contact:
      - contact[id]
      - contact[email]
      - {key: "contact[tags]", join: ", "}
      - contact[fields][*]
  events:
    subscribe: [{group: head}, {group: no list}, "form[id]?", {group: contact}]
    open: [{group: head}, {group: lists}, "campaign[id]", {group: contact}]
    unsubscribe:
      - group: head
      - {key: list, value: $event.attributes.listIds, join: ",", exceptSources: [public]}
      - {key: "list[][id]", value: $event.attributes.listIds, sources: [public]}
      - form[id]?
      - unsubscribe[reason]?
      - group: contact
    list_add: [{group: head}, {group: no list}, "list[id]", "list[userid]", "list[name]"]
    deal_update: [{group: head}, {group: no list}, "deal[id]", "deal[value]", "updated_fields[*]"]
    account_contact_update: [{group: head}, {group: no list}, {group: contact}, customer_acct_name, orgname, "account[fields][State/Province]"]
`

func TestFormOfAMarketingPlatform(t *testing.T) {
	t.Parallel()
	head := func(eventType, from, by string) []string {
		return []string{
			"url=https://example.com/hook?a=1&b=2", "type=" + eventType, "date_time=2026-05-30T10:00:00+00:00",
			"initiated_from=" + from, "initiated_by=" + by,
		}
	}
	contact := `"contact":{"email":"ada@example.com","id":"9","fields":{"39":"yes"},"tags":["vip","new"],"ip":"192.0.2.1"}`
	contactPairs := []string{"contact[id]=9", "contact[email]=ada@example.com", "contact[tags]=vip, new", "contact[fields][39]=yes"}
	tests := []struct {
		name, eventType string
		source          webhook.Source
		attributes      webhook.Attributes
		data            string
		head            []string
		want            []string
	}{
		{"subscribe sends list 0", "subscribe", webhook.SourcePublic, webhook.Attributes{ListIDs: []string{"4"}}, `{` + contact + `}`, head("subscribe", "public", "public"),
			append(append([]string{"list=0"}, contactPairs...), "contact[ip]=192.0.2.1")},
		{"open sends all list ids", "open", webhook.SourcePublic, webhook.Attributes{ListIDs: []string{"1", "2"}, InitiatedBy: "tracking"}, `{"campaign":{"id":12,"name":"May"}}`,
			head("open", "public", "tracking"), []string{"list=1,2", "campaign[id]=12", "contact[id]=", "contact[email]=", "contact[tags]=", "campaign[name]=May"}},
		{"unsubscribe by a contact", "unsubscribe", webhook.SourcePublic, webhook.Attributes{ListIDs: []string{"1", "2"}}, `{` + contact + `,"form":{"id":3}}`, head("unsubscribe", "public", "public"),
			append(append([]string{"list[][id]=1", "list[][id]=2", "form[id]=3"}, contactPairs...), "contact[ip]=192.0.2.1")},
		{"unsubscribe by a user", "unsubscribe", webhook.SourceAdmin, webhook.Attributes{ListIDs: []string{"1"}}, `{"unsubscribe":{"reason":""}}`, head("unsubscribe", "admin", "admin"),
			[]string{"list=1", "unsubscribe[reason]=", "contact[id]=", "contact[email]=", "contact[tags]="}},
		{"unsubscribe by the API", "unsubscribe", webhook.SourceAPI, webhook.Attributes{ListIDs: []string{"1", "2"}}, `{}`, head("unsubscribe", "admin", "api"),
			[]string{"list=1,2", "contact[id]=", "contact[email]=", "contact[tags]="}},
		{"list_add keeps both", "list_add", webhook.SourceAdmin, webhook.Attributes{}, `{"list":{"name":"News","id":"7","stringid":"news"}}`, head("list_add", "admin", "admin"),
			[]string{"list=0", "list[id]=7", "list[userid]=", "list[name]=News", "list[stringid]=news"}},
		{"deal_update names what changed", "deal_update", webhook.SourceAdmin, webhook.Attributes{}, `{"updated_fields":["title","stage"],"deal":{"id":"5","value":"100.00","value_raw":100}}`,
			head("deal_update", "admin", "admin"), []string{"list=0", "deal[id]=5", "deal[value]=100.00", "updated_fields[0]=title", "updated_fields[1]=stage", "deal[value_raw]=100"}},
		{"account_contact_update for a removal", "account_contact_update", webhook.SourceSystem, webhook.Attributes{}, `{"customer_acct_name":null,"account":{"id":1}}`,
			head("account_contact_update", "system", "system"),
			[]string{"list=0", "contact[id]=", "contact[email]=", "contact[tags]=", "customer_acct_name=", "orgname=", "account[fields][State/Province]=", "account[id]=1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := event(t, tt.data)
			e.Type, e.Source, e.Attributes = tt.eventType, tt.source, tt.attributes
			require.Equal(t, append(tt.head, tt.want...), pairs(t, render(t, marketingForm, e)))
		})
	}
}

func TestEnvelopesOfTheProviders(t *testing.T) {
	t.Parallel()
	record := `{"id":"r1","schemaId":"s1","fields":[{"id":"f","value":"1","oldValue":"0"}],"relationships":{"primary-contact":["9"]},"createdTimestamp":"2023-11-13T21:45:11.935Z","updatedTimestamp":"2023-11-13T21:45:11.935Z"}`
	tests := []struct{ name, envelope, data, want string }{
		{"v1", "{apiVersion: '2021-08-23', type: $event.type, data: $event.data, customData: '$event.customData?'}", `{"b":1,"a":"<&>"}`,
			`{"apiVersion":"2021-08-23","type":"order.paid","data":{"b":1,"a":"<&>"},"customData":{"k":"v"}}`},
		{"v2", "{metadata: {apiVersion: '2026-02-09', eventType: $event.type, campaignId: $event.attributes.campaignId, eventTime: $event.occurredAt}, data: $event.data}", `{}`,
			`{"metadata":{"apiVersion":"2026-02-09","eventType":"order.paid","campaignId":"c7","eventTime":"2026-05-30T10:00:00.000Z"},"data":{}}`},
		{"event, timestamp, data", "{event: $event.type, timestamp: $event.occurredAt, data: $event.data}", `{"a":[]}`,
			`{"event":"order.paid","timestamp":"2026-05-30T10:00:00.000Z","data":{"a":[]}}`},
		{"with ids made of others", "{event: $event.type, timestamp: $event.occurredAt, businessId: 'biz_${event.tenant}', webhookId: 'whk_${webhook.id}', data: $event.data}", `{}`,
			`{"event":"order.paid","timestamp":"2026-05-30T10:00:00.000Z","businessId":"biz_acme","webhookId":"whk_0197b1a4-0000-7000-8000-0000000000aa","data":{}}`},
		{"record updated", "{eventType: update, id: $data.id, schemaId: $data.schemaId, externalId: $data.externalId?, fields: $data.fields, relationships: $data.relationships, createdTimestamp: $data.createdTimestamp, updatedTimestamp: $data.updatedTimestamp}", record,
			`{"eventType":"update",` + record[1:]},
		{"record deleted", "{eventType: delete, id: $data.id, schemaId: $data.schemaId, externalId: $data.externalId?, fields: [], relationships: []}", `{"id":"r1","schemaId":"s1","externalId":"e1","fields":[1]}`,
			`{"eventType":"delete","id":"r1","schemaId":"s1","externalId":"e1","fields":[],"relationships":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := event(t, tt.data)
			e.CustomData, e.Attributes.CampaignID = webhook.JSON(`{"k":"v"}`), "c7"
			require.Equal(t, tt.want, render(t, "format: json\nenvelope: "+tt.envelope, e))
		})
	}
}
