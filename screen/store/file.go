package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// signatureFile is where the signature of a snapshot file stands.
func signatureFile(name string) string { return name + ".sig" }

// ReadFile reads a snapshot file, verifies its digest, and returns the signature
// that stands in the file of that name with ".sig" added, none if there is no such
// file. With keys it refuses a snapshot, with signing.ErrUntrusted, that none of
// them signed for the namespace ("" is DefaultNamespace); without keys the signature is
// not verified.
func ReadFile(name, namespace string, keys signing.Keys) (*screen.Snapshot, signing.Signed, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, signing.Signed{}, err
	}
	s, err := screen.ReadFile(data)
	if err != nil {
		return nil, signing.Signed{}, fmt.Errorf("%s: %w", name, err)
	}
	all, err := readSignatures(name)
	if len(keys) == 0 {
		for _, signed := range all {
			is, _ := signing.ParseSnapshot(signed.Statement)
			if is.Sequence == s.Sequence && is.Digest == s.Digest() && is.CreatedAt.Equal(s.CreatedAt) {
				return s, signed, nil
			}
		}
		return s, signing.Signed{}, nil
	}
	if err != nil {
		return nil, signing.Signed{}, fmt.Errorf("%w: %w", signing.ErrUntrusted, err)
	}
	if len(all) == 0 {
		all = []signing.Signed{{}} // which says that it is not signed
	}
	var refused error
	for _, signed := range all {
		err := keys.VerifySnapshot(signed, cmp.Or(namespace, DefaultNamespace), s.Sequence, s.Digest(), s.CreatedAt)
		if err == nil {
			return s, signed, nil
		}
		refused = cmp.Or(refused, err)
	}
	return nil, signing.Signed{}, fmt.Errorf("%s: %w", name, refused)
}

// readSignatures reads the signatures beside a snapshot file, none if there is no
// such file.
func readSignatures(name string) ([]signing.Signed, error) {
	text, err := os.ReadFile(signatureFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := signing.ParseTexts(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", signatureFile(name), err)
	}
	return all, nil
}

// WriteFile writes a snapshot file and the signature beside it, as ReadFile reads
// them. Each file is the old one or the new one, and what can be read is signed as it
// was or is to be, whatever happens between them.
func WriteFile(name string, s *screen.Snapshot, signed signing.Signed) error {
	if signed.IsZero() {
		if err := writeSnapshot(name, s); err != nil {
			return err
		}
		if err := os.Remove(signatureFile(name)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	alone, err := addSignature(name, signed)
	if err == nil {
		err = writeSnapshot(name, s)
	}
	if err != nil || alone {
		return err
	}
	return replaceText(signatureFile(name), signed.Text())
}

func writeSnapshot(name string, s *screen.Snapshot) error {
	return replace(name, func(f *os.File) error { _, err := s.WriteTo(f); return err })
}

// addSignature puts a signature before those beside a snapshot file, and reports
// whether there were no others. All of them stay: who died after this before has left one of
// a snapshot that was never written, before that of the one that is there.
func addSignature(name string, signed signing.Signed) (alone bool, err error) {
	before, _ := readSignatures(name) // what cannot be read verifies nothing
	text := signed.Text()
	for _, was := range before {
		if was != signed {
			text += was.Text()
		}
	}
	return text == signed.Text(), replaceText(signatureFile(name), text)
}

// replaceText is replace with a text.
func replaceText(target, text string) error {
	return replace(target, func(f *os.File) error { _, err := f.WriteString(text); return err })
}

// replace writes a file beside the target, then puts it in its place.
func replace(target string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(target))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
