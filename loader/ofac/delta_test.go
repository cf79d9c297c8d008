package ofac

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

func TestGoldenDelta(t *testing.T) {
	d, err := ParseDelta(strings.NewReader(fixture(t, "delta.xml")))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.PublishedAt.Format(time.RFC3339); got != "2025-02-07T00:00:00-05:00" || d.On() != 20250207 {
		t.Errorf("published at %s, on %v", got, d.On())
	}
	got := readable(t, *d)
	parsertest.GoldenText(t, "delta.golden.json", string(got))

	const trx, misprint, corrected = "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "0xa misprint", "0x00000000219ab540356cBB839Cbe05303d7705Fa"
	for _, tt := range []struct {
		uid, text      string
		removed, added bool
	}{
		{"101", "1BitcoinEaterAddressDontSendf59kuE", false, true},
		{"101", trx, false, false}, // the party is new, this is not among its addresses
		{"102", "0x000000000000000000000000000000000000dEaD", true, false},
		{"102", trx, true, false}, // not printed, removed with the party
		{"103", trx, true, false},
		{"104", trx, false, true},
		{"104", " " + trx + "\n", false, true},
		{"104", "1CounterpartyXXXXXXXXXXXXXXXUWLpVr", true, false},
		{"104", misprint, true, false},
		{"104", corrected, false, true},
		{"104", "unmarked", false, false},
		{"104", "", false, false},
		{"105", trx, true, false}, // the party is on another list now
		{"106", trx, false, false},
		{"", trx, false, false},
	} {
		on, added := d.AddedOn(tt.uid, tt.text)
		if removed := d.Removed(tt.uid, tt.text); removed != tt.removed || added != tt.added || added != (on == 20250207) {
			t.Errorf("%s %q: removed %v, added %v on %v; want %v, %v", tt.uid, tt.text, removed, added, on, tt.removed, tt.added)
		}
	}
}

func deltaOf(entities string) io.Reader {
	return strings.NewReader(`<sanctionsData xmlns="https://www.treasury.gov/ofac/DeltaFile/1.0"><publicationInfo><datePublished>2026-09-23T00:00:00-04:00</datePublished>` +
		`<publicationType>Standard Action</publicationType></publicationInfo><entities>` + entities + `</entities></sanctionsData>`)
}

// Wherever the action stands.
func TestDeltaActions(t *testing.T) {
	const typ = "<type>Digital Currency Address - XBT</type>"
	const eater = "1BitcoinEaterAddressDontSendf59kuE"
	entity := func(attr, inner string) string { return `<entity id="7"` + attr + `>` + inner + `</entity>` }
	row := func(text string, a Action) DeltaAddress {
		return DeltaAddress{Text: text, Symbol: "XBT", FeatureID: "1", Action: a}
	}
	tests := []struct {
		name, entity string
		want         []DeltaAddress
		unexpected   map[string]int
	}{
		{"entity", entity(` action="add"`, `<features><feature id="1">`+typ+`<value>x</value></feature></features>`), []DeltaAddress{row("x", ActionAdd)}, nil},
		{"entity in capitals", entity(` action=" REMOVE "`, `<features><feature id="1">`+typ+`<value>x</value></feature></features>`), []DeltaAddress{row("x", ActionRemove)}, nil},
		{"entity before feature", entity(` action="remove"`, `<features><feature id="1" action="add">`+typ+`<value>x</value></feature></features>`), []DeltaAddress{row("x", ActionRemove)}, nil},
		{"features", entity("", `<features action="add"><feature id="1">`+typ+`<value>x</value></feature></features>`), []DeltaAddress{row("x", ActionAdd)}, nil},
		{"feature before features", entity(` action="change"`, `<features action="add"><feature id="1" action="remove">`+typ+`<value>x</value></feature></features>`), []DeltaAddress{row("x", ActionRemove)}, nil},
		{"value", entity("", `<features><feature id="1">`+typ+`<value action="remove">x</value><value action="add">y</value></feature></features>`),
			[]DeltaAddress{row("x", ActionRemove), row("y", ActionAdd)}, nil},
		{"value of a feature that is updated", entity("", `<features action="update"><feature id="1" action="update">`+typ+`<value action="remove">x</value></feature></features>`),
			[]DeltaAddress{row("x", ActionRemove)}, nil},
		{"none", entity("", `<features><feature id="1">`+typ+`<value>x</value></feature></features>`), []DeltaAddress{row("x", ActionChange)}, nil},
		{"unknown words", entity(` action="amend"`, `<features action="a"><feature id="1" action="deleted">`+typ+`<value action="removed">x</value></feature></features>`),
			[]DeltaAddress{row("x", ActionChange)}, nil},
		{"old value", entity("", `<features><feature id="1">`+typ+`<value oldValue="w">x</value></feature></features>`), []DeltaAddress{row("w", ActionRemove), row("x", ActionAdd)}, nil},
		{"the same value", entity("", `<features><feature id="1">`+typ+`<value oldValue="x">x</value></feature></features>`), []DeltaAddress{row("x", ActionChange)}, nil},
		{"only an old value", entity("", `<features><feature id="1" action="remove">`+typ+`<value oldValue="w"/></feature></features>`), []DeltaAddress{row("w", ActionRemove)}, nil},
		{"other symbol", entity("", `<features><feature id="1"><type action="update" oldValue="Digital Currency Address - ETH">Digital Currency Address - XBT</type><value>x</value></feature></features>`),
			[]DeltaAddress{row("x", ActionChange)}, nil},
		{"became an address", entity("", `<features><feature id="1"><type action="update" oldValue="Website">Digital Currency Address - XBT</type><value>x</value></feature></features>`),
			[]DeltaAddress{row("x", ActionAdd)}, nil},
		{"is none any longer", entity("", `<features><feature id="1"><type action="update" oldValue="Digital Currency Address - XBT">Website</type><value>x</value></feature></features>`),
			[]DeltaAddress{row("x", ActionRemove)}, nil},
		{"type not repeated", entity("", `<features><feature id="1"><value action="remove">`+eater+`</value></feature><feature id="2"><value>x</value></feature></features>`),
			[]DeltaAddress{{Text: eater, FeatureID: "1", Action: ActionRemove}}, map[string]int{untypedFeature: 1}},
		{"text not repeated", entity("", `<features><feature id="1" action="remove">`+typ+`</feature></features>`), []DeltaAddress{row("", ActionRemove)}, map[string]int{emptyFeature: 1}},
		{"other features", entity(` action="add"`, `<features><feature id="1"><type>Website</type><value>x</value></feature></features>`), nil, nil},
		{"unknown elements", entity(` action="add"`, `<wallets/><features><wallet/></features>`), nil,
			map[string]int{"element sanctionsData/entities/entity/wallets": 1, "element sanctionsData/entities/entity/features/wallet": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDelta(deltaOf(tt.entity))
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Entities) != 1 || !reflect.DeepEqual(d.Entities[0].Addresses, tt.want) || !reflect.DeepEqual(d.Unexpected, tt.unexpected) {
				t.Errorf("got %+v, unexpected %v\nwant %+v, %v", d.Entities, d.Unexpected, tt.want, tt.unexpected)
			}
		})
	}
}

// What one delta takes away and gives back is neither removed nor new.
func TestDeltaBothWays(t *testing.T) {
	feature := func(action, text string) string {
		return `<feature id="1" action="` + action + `"><type>Digital Currency Address - XBT</type><value>` + text + `</value></feature>`
	}
	tests := []struct {
		name, entities string
		removed, added bool
	}{
		{"new feature of the same text", `<entity id="7"><features>` + feature("remove", "x") + feature("add", "x") + `</features></entity>`, false, false},
		{"party removed and added", `<entity id="7" action="remove"/><entity id="7" action="add"><features>` + feature("add", "x") + `</features></entity>`, false, false},
		{"party removed and added without the address", `<entity id="7" action="remove"/><entity id="7" action="add"/>`, true, false},
		{"all lists removed", `<entity id="7"><sanctionsLists action="remove"><sanctionsList>SDN List</sanctionsList></sanctionsLists></entity>`, true, false},
		{"another list removed", `<entity id="7"><sanctionsLists><sanctionsList action="remove">Consolidated List</sanctionsList><sanctionsList>SDN List</sanctionsList></sanctionsLists></entity>`, false, false},
		{"another party", `<entity id="8" action="remove"/>`, false, false},
		{"nothing", "", false, false},
	}
	for _, tt := range tests {
		d, err := ParseDelta(deltaOf(tt.entities))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		on, added := d.AddedOn("7", "x")
		if removed := d.Removed("7", "x"); removed != tt.removed || added != tt.added || !added && on != 0 {
			t.Errorf("%s: removed %v, added %v on %v", tt.name, removed, added, on)
		}
	}
}

func TestDeltaErrors(t *testing.T) {
	doc := fixture(t, "delta.xml")
	tests := []struct{ name, input, want string }{
		{"empty", "", "ofac: line 1: unexpected EOF: no root element"},
		{"HTML", "<html>", "ofac: delta file: line 1: root element <html>, want <sanctionsData>"},
		{"other format", fixture(t, "sdn.xml"), "root element <sdnList>, want <sanctionsData>"},
		{"complete list", fixture(t, "enhanced.xml"), "the document is a complete list, not a delta file"},
		{"no date", strings.Replace(doc, "<datePublished>2025-02-07T00:00:00-05:00</datePublished>", "", 1), `publicationInfo/datePublished "", want a date and time`},
		{"no such date", strings.Replace(doc, "2025-02-07T00:00:00-05:00", "2025-02-30T00:00:00-05:00", 1), `publicationInfo/datePublished "2025-02-30T00:00:00-05:00"`},
		{"two dates", strings.Replace(doc, "<publicationType>", "<datePublished>x</datePublished><publicationType>", 1), "a second <datePublished>"},
		{"no entities", strings.Replace(doc, element(t, doc, "entities"), "", 1), "the document has no <entities>"},
		{"entity without id", strings.Replace(doc, `<entity id="103"`, "<entity", 1), "an <entity> without id"},
		{"value with elements", strings.Replace(doc, "<value>unmarked", "<value>un<b/>marked", 1), "an element where only text is expected"},
		{"DOCTYPE", "<!DOCTYPE x>" + doc, "a DOCTYPE or other declaration, which is refused"},
		{"second root", doc + "<html>", "a second root element <html>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDelta(strings.NewReader(tt.input))
			if err == nil || d != nil || !strings.HasPrefix(err.Error(), "ofac: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	end := strings.LastIndex(doc, ">") + 1
	for n := range end {
		if _, err := ParseDelta(strings.NewReader(doc[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at byte %d of %d: %v", n, end, err)
		}
	}
	for _, parse := range []func(io.Reader) (*screen.Publication, error){Parse, ParseConsolidated} {
		if _, err := parse(strings.NewReader(doc)); err == nil || !strings.Contains(err.Error(), "the document is a delta file, which holds changes and is no complete list") {
			t.Errorf("a delta file read as a list: %v", err)
		}
	}
}

func TestAction(t *testing.T) {
	for a, want := range map[Action]string{ActionChange: "change", ActionAdd: "add", ActionRemove: "remove", 9: "action(9)"} {
		if a.String() != want {
			t.Errorf("%d: %q, want %q", uint8(a), a, want)
		}
	}
}

// FuzzParseDelta checks that what is accepted keeps the promises of a Delta, and
// that no document is both a delta file and a list.
func FuzzParseDelta(f *testing.F) {
	f.Add([]byte(fixture(f, "delta.xml")))
	f.Add([]byte("<sanctionsData><publicationInfo><datePublished>2025-01-01T00:00:00Z</datePublished></publicationInfo><entities/></sanctionsData>"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := ParseDelta(bytes.NewReader(in))
		again, err2 := ParseDelta(iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(d, again) {
			t.Fatalf("whole: %v; in pieces: %v", err, err2)
		}
		if err != nil {
			if d != nil || len(err.Error()) > 8<<10 {
				t.Fatalf("error of %d bytes, delta %v", len(err.Error()), d)
			}
			return
		}
		if _, err := Parse(bytes.NewReader(in)); err == nil {
			t.Fatal("it is a list, too")
		}
		if d.On() == 0 {
			t.Fatal("no date")
		}
		for _, e := range d.Entities {
			if e.UID == "" {
				t.Fatalf("entity %+v", e)
			}
			for _, a := range e.Addresses {
				if _, added := d.AddedOn(e.UID, a.Text); added && d.Removed(e.UID, a.Text) {
					t.Fatalf("entity %s: %+v is both added and removed", e.UID, a)
				}
			}
		}
	})
}
