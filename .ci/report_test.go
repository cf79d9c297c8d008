package main

import (
	"strings"
	"testing"
)

const testsSaid = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"    a_test.go:1: not worth reading\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestBad/case","Output":"    a_test.go:2: 1, want 2\n"}
{"Action":"fail","Package":"a","Test":"TestBad/case"}
{"Action":"output","Package":"a","Test":"TestNever","Output":"    a_test.go:3: waiting\n"}
{"Action":"output","Package":"a","Test":"TestMore","Output":"=== RUN   TestMore\n"}
{"Action":"output","Package":"a","Test":"TestMore","Output":"    a_test.go:4: begins\n"}
{"Action":"output","Package":"a","Test":"TestMore","Output":"    a_test.go:5: not run with -race:\n"}
{"Action":"output","Package":"a","Test":"TestMore","Output":"        it is too much\n"}
{"Action":"output","Package":"a","Test":"TestMore","Output":"--- SKIP: TestMore (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestMore"}
not of go test
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}
{"ImportPath":"b","Action":"build-output","Output":"b.go:1: no such thing\n"}
{"Action":"output","Package":"c","Output":"PASS\n"}
{"Action":"output","Package":"c","Output":"ok  \tc\t0.1s\n"}
{"Action":"pass","Package":"c"}`

func TestShow(t *testing.T) {
	var out strings.Builder
	results, err := show(strings.NewReader(testsSaid), &out)
	if err != nil {
		t.Fatal(err)
	}
	const want = `    a_test.go:2: 1, want 2
not of go test
FAIL	a	0.1s
    a_test.go:3: waiting
b.go:1: no such thing
ok  	c	0.1s
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
	if want := (result{"a", "TestMore", "skip", "not run with -race: it is too much"}); len(results) != 3 || results[2] != want {
		t.Errorf("%+v, want three, the last %+v", results, want)
	}
}

func TestSkipped(t *testing.T) {
	race, none := "TestX: not run with -race", "no abacus"
	for _, test := range []struct {
		name    string
		results []result
		want    string
		fails   bool
	}{
		{"passable", []result{{"a", "TestX", "skip", race}, {"a", "TestY", "pass", ""}}, "\n*** SKIPPED:\n  it: not run with -race\n      a TestX\n\n1 passed, 0 failed, 1 skipped\n", false},
		{"ran without", []result{{"a", "TestX", "skip", race}, {"a", "TestX", "pass", ""}}, "\n1 passed, 0 failed, 0 skipped\n", false},
		{"of another package", []result{{"a", "TestX", "skip", race}, {"b", "TestX", "pass", ""}}, "\n*** SKIPPED:\n  it: not run with -race\n      a TestX\n\n1 passed, 0 failed, 1 skipped\n", false},
		{"not passable", []result{{"a", "TestX", "skip", none}, {"a", "TestY", "pass", ""}}, "\n*** SKIPPED:\n  NO REASON TO SKIP IN CI: no abacus\n      a TestX\n\n1 passed, 0 failed, 1 skipped\n", true},
		{"nothing ran", nil, "\n0 passed, 0 failed, 0 skipped\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			if err := skipped(test.results, &out); (err != nil) != test.fails || out.String() != test.want {
				t.Errorf("%v, printed\n%s\nwant\n%s", err, &out, test.want)
			}
		})
	}
}
