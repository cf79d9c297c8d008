package ofac

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseHistory(t *testing.T) {
	got, err := ParseHistory(strings.NewReader(` [{"publicationID":803,"datePublished":"2026-01-16T10:01:44.740051"},` +
		`{"publicationID":802,"datePublished":"2026-01-15T23:59:59"},{"publicationID":804,"datePublished":"2026-01-16T23:30:00-05:00","new":{"x":[1]}}] `))
	want := []PastPublication{{803, 20260116}, {802, 20260115}, {804, 20260116}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if got, err := ParseHistory(strings.NewReader("[]")); err != nil || len(got) != 0 {
		t.Errorf("an empty day: %v, %v", got, err)
	}
	broken := errors.New("connection reset")
	if _, err := ParseHistory(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("an error of the reader: %v", err)
	}
	for _, tt := range []struct{ input, want string }{
		{"", "not a JSON array"},
		{"null", "not a JSON array"},
		{"<html>", "not a JSON array"},
		{`{"message":"Forbidden"}`, "not a JSON array"},
		{`[{"publicationID":803`, "unexpected end of JSON input"},
		{`[]x`, "invalid character 'x'"},
		{`[{"publicationID":"803","datePublished":"2026-01-16T10:01:44"}]`, "cannot unmarshal string"},
		{`[{"datePublished":"2026-01-16T10:01:44"}]`, "publication 1 of 1 has the publicationID 0"},
		{`[{"publicationID":803}]`, `datePublished of publication 803 is "", want a date and time`},
		{`[{"publicationID":803,"datePublished":"01/16/2026"}]`, `datePublished of publication 803 is "01/16/2026"`},
		{"[" + strings.Repeat(" ", maxHistory) + "]", "more than 4194304 bytes"},
	} {
		got, err := ParseHistory(strings.NewReader(tt.input))
		if err == nil || got != nil || !strings.HasPrefix(err.Error(), "ofac: history: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: %v, want %q", tt.input, err, tt.want)
		}
	}
}

// FuzzParseHistory checks that every publication that is accepted has an id and
// a date.
func FuzzParseHistory(f *testing.F) {
	f.Add([]byte(`[{"publicationID":803,"datePublished":"2026-01-16T10:01:44.740051"}]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		publications, err := ParseHistory(bytes.NewReader(in))
		if err != nil && publications != nil {
			t.Fatalf("error %v and %v", err, publications)
		}
		for _, p := range publications {
			if p.ID <= 0 || p.On == 0 {
				t.Fatalf("%+v", p)
			}
		}
	})
}
