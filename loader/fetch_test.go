package loader

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"walletscreen/screen"
)

// TestFetchKeepsSecrets reads from addresses that hold a password and a token,
// in every way that this can fail. No error may repeat them: errors are logged.
func TestFetchKeepsSecrets(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/html":
			_, _ = w.Write([]byte("<html></html>"))
		case "/short":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("address\n"))
		case "/elsewhere":
			http.Redirect(w, r, "http://other:hunter2@127.0.0.1:1/signed?token=hunter2", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	for _, location := range []string{
		"http://user:hunter2@127.0.0.1:1/list.csv?token=hunter2",
		"http://user:hunter2@127.0.0.1:1/%zz?token=hunter2",
		"http://user:hunter2@" + host + "/html?token=hunter2",
		"http://user:hunter2@" + host + "/short?token=hunter2",
		"http://user:hunter2@" + host + "/missing?token=hunter2",
		"http://user:hunter2@" + host + "/elsewhere?token=hunter2",
	} {
		_, err := Read(t.Context(), Source{List: "house", Location: location}, "test")
		if err == nil {
			t.Errorf("%s: read", location)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats a secret: %v", location, err)
		}
	}
	for _, source := range []string{
		"House=http://user:hunter2@" + host + "/list.csv",
		"http://user:hunter2@" + host + "/list.csv?token=hunter2",
		"http://user:hunter2@" + host + "/list.csv",
	} {
		if _, err := ParseSource(source); err == nil {
			t.Errorf("ParseSource(%q) is no error", source)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseSource(%q): the error repeats a secret: %v", source, err)
		}
	}
}

func TestParseSource(t *testing.T) {
	for _, test := range []struct {
		text, list, location string
		ok                   bool
	}{
		{"us-ofac-sdn", "us-ofac-sdn", "", true},
		{"us-ofac-sdn=sdn.xml", "us-ofac-sdn", "sdn.xml", true},
		{"house=https://example.org/a?b=c", "house", "https://example.org/a?b=c", true},
		{"house=", "", "", false},
		{"=sdn.xml", "", "", false},
		{"", "", "", false},
		{"sdn.xml", "", "", false},
		{"House=a.csv", "", "", false},
	} {
		got, err := ParseSource(test.text)
		if (err == nil) != test.ok || test.ok && got != (Source{screen.ListID(test.list), test.location}) {
			t.Errorf("ParseSource(%q) = %+v, %v", test.text, got, err)
		}
	}
}

// TestFetchKeepsTLS follows a publisher's redirect, but not out of TLS.
func TestFetchKeepsTLS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("address\n0x1111111111111111111111111111111111111111\n"))
	}))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/out":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case "/on":
			http.Redirect(w, r, "/list.csv", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			_, _ = w.Write([]byte("address\n0x1111111111111111111111111111111111111111\n"))
		}
	}))
	defer secure.Close()
	before := publishers.Transport
	publishers.Transport = secure.Client().Transport
	defer func() { publishers.Transport = before }()
	for path, want := range map[string]string{"/out": "redirected from https to http", "/round": "redirected ten times", "/on": "", "/list.csv": ""} {
		_, err := Read(t.Context(), Source{List: "own", Location: secure.URL + path}, "test")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
