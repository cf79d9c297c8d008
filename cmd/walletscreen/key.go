package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"walletscreen/screen/signing"
)

// verifyFlags say whose signatures count.
type verifyFlags struct {
	VerifyKey []string `sep:"none" placeholder:"FILE" help:"File of public keys (PEM, Ed25519), one or several: what no key of them signed is refused. Repeatable, and in the variable one a line; a file with the old key and one with the new serve while a key is replaced. It is read at the start. Without any, signatures are not looked at. See docs/signatures.md."`
}

// signFlags say with which key to sign.
type signFlags struct {
	SigningKey string `placeholder:"FILE" help:"File of the private key to sign with (PEM, PKCS #8, Ed25519), as walletscreen key generate writes it. Nobody but its owner may be able to read it. What is not signed, by it or by a key of --verify-key, is not built upon. Without it nothing is signed."`

	verifyFlags `embed:""`
}

// files are the files of public keys, in the environment one a line.
func (f *verifyFlags) files() []string {
	var files []string
	for _, text := range f.VerifyKey {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				files = append(files, line)
			}
		}
	}
	return files
}

// keys reads the public keys.
func (f *verifyFlags) keys() (signing.Keys, error) {
	if len(f.VerifyKey) > 0 && len(f.files()) == 0 {
		return nil, usagef("--verify-key names no file: without it nothing would be verified")
	}
	keys, err := signing.ReadKeys(f.files()...)
	if err != nil {
		return nil, usagef("--verify-key: %v", err)
	}
	return keys, nil
}

// key reads the private key, nil if none is given, and the public keys.
func (f *signFlags) key() (*signing.Key, signing.Keys, error) {
	trusted, err := f.keys()
	if err != nil || f.SigningKey == "" {
		return nil, trusted, err
	}
	key, err := signing.ReadKey(f.SigningKey)
	if err != nil {
		return nil, nil, usagef("--signing-key: %v", err)
	}
	return key, trusted, nil
}

// errUnsigned says that keys to verify with are of no use to who publishes unsigned.
func errUnsigned() error {
	return usagef("--verify-key without --signing-key: what is published would be refused by whoever verifies; name the private key, too")
}

// keyCmd are the commands for keys.
type keyCmd struct {
	Generate keyGenerateCmd `cmd:"" help:"Make a key to sign snapshots with."`
	Show     keyShowCmd     `cmd:"" help:"Print the ids of the keys in a file, and the public keys."`
}

type keyGenerateCmd struct {
	Out string `required:"" placeholder:"FILE" help:"File to write the private key to, for the loader alone; only its owner may read it. The public key, for servers, is written to FILE.pub. Files that are there are never overwritten."`
}

func (c *keyGenerateCmd) Run(s std) error {
	key, err := signing.Generate()
	if err != nil {
		return err
	}
	if err := key.Write(c.Out); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w; a key is never overwritten: name another file", err)
		}
		return err
	}
	fmt.Fprintf(s.out, "key %s: private key in %s, for walletscreen load --signing-key; public key in %s.pub, for walletscreen serve --verify-key\n",
		key.Public().ID, c.Out, c.Out)
	return nil
}

type keyShowCmd struct {
	File string `arg:"" help:"File of public keys, or of a private key, which is not shown."`
}

func (c *keyShowCmd) Run(s std) error {
	keys, err := signing.ReadKeys(c.File)
	if err != nil {
		if !signing.IsPrivate(err) {
			return err
		}
		key, err := signing.ReadKey(c.File)
		if err != nil {
			return err
		}
		keys = signing.Keys{key.Public()}
	}
	for i := range keys {
		fmt.Fprintf(s.out, "key %s\n%s", keys[i].ID, keys[i].PEM())
	}
	return nil
}
