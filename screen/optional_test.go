package screen

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// partial is a snapshot that uses every optional record of the encoding.
func partial(t testing.TB) *Snapshot {
	t.Helper()
	s := merged(t, Empty(), own, publication(own, 20230101, "own 1", party("1", ofKind("a", KindAdvisory), row("b"), ofKind("c", KindSeizureOrder))))
	s = merged(t, s, own, publication(own, 20230201, "own 2", party("1", ofKind("a", 0), row("b"), ofKind("c", KindSeizureOrder))))
	return dated(t, s, own, RowDate{UID: "1", Text: "b", Symbol: "XBT", AddedOn: 20220901}, RowDate{UID: "1", Text: "c", AddedOn: 20220801})
}

func TestOptionalRecordsGolden(t *testing.T) {
	s := partial(t)
	if diff := cmp.Diff(string(golden(t, "testdata/optional.golden", s.Encoding())), string(s.Encoding())); diff != "" {
		t.Errorf("canonical encoding (-want +got):\n%s", diff)
	}
	decoded, err := Decode(s.Encoding())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, decoded, sameContent); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecodeOptionalStrict(t *testing.T) {
	const valid = `walletscreen-snapshot 1
list	a	internal			
publication	2024-01-01	1111111111111111111111111111111111111111111111111111111111111111	2	3
publication	2024-01-10	2222222222222222222222222222222222222222222222222222222222222222	2	3
party	1
facts	1		Name	
address	2	-	x						
kind	seizure-order
address	1	2	x						
kind	advisory
added	2023-12-24
address	1	2	x						
added	2024-01-02
address	2	-	y						
end	1	1	4
`
	if _, err := Decode([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"no kind", "kind\tadvisory", "kind\t", "line 10: unknown list kind"},
		{"unknown kind", "kind\tadvisory", "kind\tbad", `line 10: unknown list kind "bad"`},
		{"the kind of the list", "kind\tadvisory", "kind\tinternal", "line 10: address of kind internal, which is the list's"},
		{"kind with two fields", "kind\tadvisory", "kind\tadvisory\t", "kind record with 2 fields, want 1"},
		{"no date", "added\t2023-12-24", "added\t", `line 11: date ""`},
		{"no such date", "added\t2023-12-24", "added\t2023-12-32", "line 11: date"},
		{"added with two fields", "added\t2023-12-24", "added\t2023-12-24\t", "added record with 2 fields, want 1"},
		{"added twice", "added\t2023-12-24\n", "added\t2023-12-24\nadded\t2023-12-24\n", "not in canonical form"},
		{"added before the kind", "kind\tadvisory\nadded\t2023-12-24\n", "added\t2023-12-24\nkind\tadvisory\n", "not in canonical form"},
		{"added by the publication", "added\t2023-12-24", "added\t2024-01-01", ""},
		{"added after the publication", "added\t2023-12-24", "added\t2024-01-02", "line 12: address listed by publication 1 cannot have been added on 2024-01-02"},
		{"added on the day of the publication before", "added\t2024-01-02", "added\t2024-01-01", ""},
		{"added before the publication before", "added\t2024-01-02", "added\t2023-12-31", "line 14: address listed by publication 2 cannot have been added on 2023-12-31"},
		{"added beside a printed start", "2\t-\ty\t\t\t\t", "2\t-\ty\t\t\t2024-01-03\t", "line 14: address listed by publication 2 cannot have been added on 2024-01-02"},
		{"added before the facts", "facts\t1", "added\t2024-01-01\nfacts\t1", "line 6: added record out of place"},
		{"added of no address", "end\t", "added\t2024-01-01\nend\t", "line 16: end record out of place"},
		{"kind twice", "kind\tadvisory\n", "kind\tadvisory\nkind\tadvisory\n", "not in canonical form"},
		{"kind before the facts", "facts\t1", "kind\tadvisory\nfacts\t1", "line 6: kind record out of place"},
		{"kind before the party", "party\t1", "kind\tadvisory\nparty\t1", "line 5: kind record out of place"},
		{"kind before a party", "end\t", "kind\tadvisory\nparty\t2\nfacts\t1\t\t\t\naddress\t1\t-\tx\t\t\t\t\t\t\nend\t", "line 16: party record out of place"},
		{"kind before a program", "address\t2", "kind\tadvisory\nprogram\tP\naddress\t2", "line 8: program record out of place"},
		{"kind of no address", "end\t", "kind\tadvisory\nend\t", "line 16: end record out of place"},
		{"kinds out of order", "kind\tseizure-order", "kind\tadvisory", "line 12: address out of order or repeated"},
		{"an open interval of another kind is none of the row", "1\t2\tx\t\t\t\t\t\t\nkind\tadvisory", "1\t-\tx\t\t\t\t\t\t\nkind\tadvisory", ""},
	} {
		data := strings.Replace(valid, test.old, test.new, 1)
		if data == valid {
			t.Fatalf("%s: the case changes nothing", test.name)
		}
		s, err := Decode([]byte(data))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want == "":
			if !bytes.Equal(s.encode(), []byte(data)) {
				t.Errorf("%s: encodes as %s", test.name, s.encode())
			}
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}
