package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walletscreen/screen/absent"
)

var update = flag.Bool("update", false, "write the golden files anew")

// rfcKey is the key of the first test of RFC 8032, section 7.1.
func rfcKey(t testing.TB) *Key {
	t.Helper()
	seed, err := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func generate(t testing.TB) *Key {
	t.Helper()
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var (
	noon = time.Date(2025, 11, 5, 12, 0, 0, 1e6, time.UTC)
	some = Snapshot{Namespace: "default", Sequence: 42, Digest: sha256.Sum256([]byte("foo")), CreatedAt: noon}
)

func rolledBack() Snapshot {
	s := some
	s.RollbackOf, s.RollbackTo = 41, 39
	return s
}

// TestVectors compares statements, signatures and keys with a file, so that what is
// signed never changes unseen: everything that was signed would be worth nothing.
func TestVectors(t *testing.T) {
	k := rfcKey(t)
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n\n", k.Public().PEM(), k.Public().ID)
	early := some
	early.CreatedAt = time.Date(2025, 11, 5, 13, 0, 0, 0, time.FixedZone("", 3600))
	for _, s := range []Snapshot{some, early, rolledBack()} {
		b.WriteString(k.Sign(s.Statement()).Text() + "\n")
	}
	b.WriteString(k.Sign(Verification{Namespace: "default", List: "us-ofac-sdn", Digest: some.Digest}.Statement()).Text())
	const file = "testdata/vectors.golden.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("what is signed is not what %s says:\n%s", file, b.String())
	}
}

func TestStatementIsReadAsWritten(t *testing.T) {
	for _, want := range []Snapshot{some, rolledBack(), {Namespace: "~", Sequence: 1<<64 - 1, CreatedAt: noon.Add(789)}} {
		got, err := ParseSnapshot(want.Statement())
		if err != nil || got != want {
			t.Errorf("%q became %+v, %v", want.Statement(), got, err)
		}
	}
}

func TestStatementIsStrict(t *testing.T) {
	good := rolledBack().Statement()
	replaced := func(old, with string) string {
		t.Helper()
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q stands %d times in the statement", old, strings.Count(good, old))
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, bad := range map[string]string{
		"nothing":             "",
		"another version":     replaced("statement 1", "statement 2"),
		"about a list":        Verification{Namespace: "default", List: "a", Digest: some.Digest}.Statement(),
		"a line of a list":    replaced("sequence 42", "list 42"),
		"no line end":         strings.TrimSuffix(good, "\n"),
		"half a rollback":     replaced("rollback_to 39\n", ""),
		"more":                good + "more\n",
		"an empty line more":  good + "\n",
		"CR":                  replaced("sequence 42\n", "sequence 42\r\n"),
		"two spaces":          replaced("sequence 42", "sequence  42"),
		"no namespace":        replaced("namespace default", "namespace "),
		"a space in it":       replaced("namespace default", "namespace de fault"),
		"a long one":          replaced("namespace default", "namespace "+strings.Repeat("x", 65)),
		"sequence 0":          replaced("sequence 42", "sequence 0"),
		"sequence 042":        replaced("sequence 42", "sequence 042"),
		"sequence +42":        replaced("sequence 42", "sequence +42"),
		"beyond 64 bits":      replaced("sequence 42", "sequence 18446744073709551616"),
		"digest in capitals":  replaced("2c26b46b", "2C26B46B"),
		"short digest":        replaced("digest 2c", "digest "),
		"another zone":        replaced("12:00:00.001Z", "13:00:00.001+01:00"),
		"zeros in the second": replaced("12:00:00.001Z", "12:00:00.0010Z"),
		"a comma":             replaced("12:00:00.001Z", "12:00:00,001Z"),
		"rollback of 0":       replaced("rollback_of 41", "rollback_of 0"),
		"lines out of order":  strings.Replace(replaced("sequence 42\n", ""), "created_at", "sequence 42\ncreated_at", 1),
	} {
		if got, err := ParseSnapshot(bad); err == nil {
			t.Errorf("%s: %q is read as %+v", name, bad, got)
		}
	}
}

func TestTexts(t *testing.T) {
	k := generate(t)
	a, b := k.Sign(some.Statement()), generate(t).Sign(rolledBack().Statement())
	for name, want := range map[string][]Signed{"none": nil, "one": {a}, "two": {b, a}} {
		text := ""
		for _, s := range want {
			text += s.Text()
		}
		got, err := ParseTexts(text)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q is read as %v, %v", name, text, got, err)
		}
		for n := 1; n < len(text); n++ {
			if n == len(a.Text()) || n == len(b.Text()) {
				continue // one of two
			}
			if got, err := ParseTexts(text[:n]); err == nil {
				t.Errorf("%s: %q is read as %v", name, text[:n], got)
			}
		}
		if got, err := ParseTexts(text + "\n"); err == nil {
			t.Errorf("%s and an empty line: %v", name, got)
		}
	}
	if got, err := ParseTexts(strings.Replace(a.Text(), "signature ", "signature =", 1)); err == nil {
		t.Errorf("a signature that is no base64: %v", got)
	}
}

func TestVerify(t *testing.T) {
	k, other := generate(t), generate(t)
	keys := Keys{}.With(k.Public())
	good := k.Sign(some.Statement())
	verify := func(keys Keys, s Signed) error {
		return keys.VerifySnapshot(s, some.Namespace, some.Sequence, some.Digest, some.CreatedAt)
	}
	for _, keys := range []Keys{keys, keys.With(other.Public()), Keys{other.Public()}.With(k.Public())} {
		if err := verify(keys, good); err != nil {
			t.Errorf("with %s: %v", keys.IDs(), err)
		}
	}
	elsewhere, older, changed, later := some, some, some, some
	elsewhere.Namespace = "another"
	older.Sequence--
	changed.Digest[0] ^= 1
	later.CreatedAt = noon.Add(1)
	swapped := k.Sign(older.Statement())
	swapped.Statement = good.Statement
	lying := other.Sign(some.Statement())
	lying.KeyID = k.Public().ID
	short := good
	short.Signature = short.Signature[1:]
	about := k.Sign(Verification{Namespace: "default", List: "a", Digest: some.Digest}.Statement())
	for name, test := range map[string]struct {
		keys   Keys
		s      Signed
		saying string
	}{
		"unsigned":                   {keys, Signed{}, "not signed"},
		"no keys":                    {nil, good, "keys to verify with are "},
		"another key":                {keys, other.Sign(some.Statement()), "signed by key " + `"` + other.Public().ID},
		"another key under its name": {keys, lying, "not what key " + k.Public().ID + " signed"},
		"another signature":          {keys, swapped, "not what key"},
		"half a signature":           {keys, short, "not what key"},
		"namespace":                  {keys, k.Sign(elsewhere.Statement()), "namespace another"},
		"sequence":                   {keys, k.Sign(older.Statement()), "snapshot 41, not 42"},
		"digest":                     {keys, k.Sign(changed.Statement()), "digest 2d"},
		"time":                       {keys, k.Sign(later.Statement()), "of 2025-11-05T12:00:00.001000001Z"},
		"about a list":               {keys, about, "statement about a snapshot"},
	} {
		if err := verify(test.keys, test.s); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), test.saying) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.saying)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "signing.key")
	k := generate(t)
	if err := k.Write(file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info.Mode(), err)
	}
	again, err := ReadKey(file)
	if err != nil || !again.private.Equal(k.private) || again.Public().ID != k.Public().ID {
		t.Errorf("read as %v, %v", again, err)
	}
	keys, err := ReadKeys(file+".pub", file+".pub")
	if err != nil || len(keys) != 1 || keys.IDs() != k.Public().ID {
		t.Errorf("public: %v, %v", keys, err)
	}
	// Nothing is overwritten, and nothing left behind.
	text, _ := os.ReadFile(file)
	if err := generate(t).Write(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing again: %v", err)
	}
	if now, _ := os.ReadFile(file); !bytes.Equal(now, text) {
		t.Error("the private key was overwritten")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := generate(t).Write(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing over a public key: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("in the directory: %v", entries)
	}
	// Several in one file, with remarks before them.
	other := generate(t)
	rotating := append([]byte("from spring\n"), append(k.Public().PEM(), other.Public().PEM()...)...)
	if keys, err := ParseKeys(rotating); err != nil || keys.IDs() != k.Public().ID+", "+other.Public().ID {
		t.Errorf("two keys: %v, %v", keys, err)
	}
}

func TestPrivateKeysOfOthersAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signing.key")
	if err := generate(t).Write(file); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620, 0o601} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%o: %v", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey(file); err != nil {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

// x25519 and x25519Public are a key for another purpose.
const (
	x25519       = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n"
	x25519Public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAj0DFrbaPJWJK5bIU6nZ6bslNgp09e17a0bpvPiE4KF8=\n-----END PUBLIC KEY-----\n"
)

func TestKeysThatAreNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := generate(t).Write(file); err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	long := bytes.Repeat([]byte("# \n"), largestFile)
	for _, test := range []struct {
		text            []byte
		private, public string // what is said of it
	}{
		{nil, "no private key", "no public key"},
		{[]byte("garbage\n"), "no private key", "no PEM"},
		{public, "it holds a public key", ""},
		{private, "", "it holds a private key"},
		{append(public[:len(public):len(public)], private...), "it holds a public key", "it holds a private key"},
		{append(private[:len(private):len(private)], private...), "more than one", "it holds a private key"},
		{append(public[:len(public):len(public)], "more\n"...), "it holds a public key", "after 1 public keys"},
		{encrypted, "not encrypted", "it holds a private key"},
		{bytes.Replace(private, []byte("M"), []byte("N"), 1), "cannot be read", "it holds a private key"},
		{[]byte(x25519), "want Ed25519", "it holds a private key"},
		{[]byte(x25519Public), "it holds a public key", "want Ed25519"},
		{long, "over 65536 bytes", "over 65536 bytes"},
	} {
		if err := os.WriteFile(file, test.text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, privateErr := ReadKey(file)
		_, publicErr := ReadKeys(file)
		for want, err := range map[string]error{test.private: privateErr, test.public: publicErr} {
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file)) {
				t.Errorf("%.60q: %v, want it to say %q", test.text, err, want)
			}
			if err != nil && strings.Contains(err.Error(), string(private[30:60])) {
				t.Errorf("an error has a part of the private key: %v", err)
			}
		}
	}
	if _, err := ReadKeys(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	if _, err := ReadKey(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
}

// TestOpenSSL has another program write a key, and verify what was signed with it.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		absent.Skip(t, "no openssl: that it verifies signatures and reads keys is not tested")
	}
	dir := t.TempDir()
	openssl := func(args ...string) (string, error) {
		c := exec.Command(program, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	file := filepath.Join(dir, "openssl.key")
	if out, err := openssl("genpkey", "-algorithm", "ed25519", "-out", file); err != nil {
		absent.Skip(t, "this openssl knows no Ed25519: that it verifies signatures is not tested: %s", out)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, err := ReadKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := openssl("pkey", "-in", file, "-pubout"); err != nil || out != string(theirs.Public().PEM()) {
		t.Errorf("their public key is %s, %v, ours %s", out, err, theirs.Public().PEM())
	}
	ours := generate(t)
	if err := ours.Write(filepath.Join(dir, "ours.key")); err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*Key{"theirs": theirs, "ours": ours} {
		s := k.Sign(some.Statement())
		for file, text := range map[string]string{
			"pub": string(k.Public().PEM()), "statement": s.Statement, "signature": s.Signature, "other": rolledBack().Statement(),
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		verify := func(file string) (string, error) {
			return openssl("pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-rawin", "-in", file, "-sigfile", "signature")
		}
		if out, err := verify("statement"); err != nil {
			t.Errorf("%s: openssl does not verify the signature: %s", name, out)
		}
		if out, err := verify("other"); err == nil {
			t.Errorf("%s: openssl verifies another statement: %s", name, out)
		}
	}
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add(some.Statement())
	f.Add(rolledBack().Statement())
	f.Add(strings.Replace(some.Statement(), "Z", "+00:00", 1))
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSnapshot(text); err == nil && s.Statement() != text {
			t.Errorf("%q is read as %+v", text, s)
		}
	})
}

func FuzzParseTexts(f *testing.F) {
	s := Signed{some.Statement(), strings.Repeat("s", ed25519.SignatureSize), "0123456789abcdef"}
	f.Add(s.Text())
	f.Add(s.Text() + s.Text())
	f.Add(strings.Replace(s.Text(), base64.StdEncoding.EncodeToString([]byte(s.Signature)), "", 1))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseTexts(text)
		if err != nil {
			return
		}
		again := ""
		for _, s := range all {
			again += s.Text()
		}
		if again != text {
			t.Errorf("%q is read as %v", text, all)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(rfcKey(f).Public().PEM())
	f.Add([]byte(x25519Public))
	f.Add([]byte(x25519))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = parseKey(text)
		keys, err := ParseKeys(text)
		if err != nil {
			return
		}
		var again []byte
		for _, k := range keys {
			again = append(again, k.PEM()...)
		}
		if same, err := ParseKeys(again); err != nil || same.IDs() != keys.IDs() {
			t.Errorf("%s became %s, %v", keys.IDs(), same.IDs(), err)
		}
	})
}
