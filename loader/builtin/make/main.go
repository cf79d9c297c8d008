// Command make makes the builtin snapshot and its PROVENANCE.md by replaying
// publications in order of date:
//
//	go run ./loader/builtin/make -data FOLDER
//
// FOLDER holds the publications named in publications.txt, whose digests must be
// the ones that stand there. The result depends on nothing else: not on the day,
// not on the machine.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"walletscreen/loader"
	"walletscreen/loader/fetch"
	"walletscreen/screen"
)

//go:embed publications.txt
var publications string

func main() {
	log.SetFlags(0)
	data := flag.String("data", "", "folder of the publications named in publications.txt")
	out := flag.String("out", "loader/builtin", "folder to write snapshot.txt and PROVENANCE.md to")
	flag.Parse()
	if err := run(*data, *out); err != nil {
		log.Fatal("make: ", err)
	}
}

// entry is one line of publications.txt.
type entry struct {
	file, digest string
	derived      bool
}

func entries() ([]entry, error) {
	var all []entry
	for i, line := range strings.Split(publications, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != "publisher" && f[1] != "derived" {
			return nil, fmt.Errorf("publications.txt, line %d: want digest, publisher or derived, file", i+1)
		}
		all = append(all, entry{digest: f[0], derived: f[1] == "derived", file: f[2]})
	}
	return all, nil
}

func run(data, out string) error {
	all, err := entries()
	if err != nil {
		return err
	}
	snapshot := screen.Empty()
	var table bytes.Buffer
	for _, e := range all {
		doc, err := loader.Read(context.Background(), loader.Source{List: "us-ofac-sdn", Documents: []string{filepath.Join(data, e.file)}}, new(fetch.Fetcher))
		if err != nil {
			return err
		}
		pub := doc.Publication
		if pub.Digest.String() != e.digest {
			return fmt.Errorf("%s has digest %s, want %s", e.file, pub.Digest, e.digest)
		}
		if e.derived {
			forgetIDs(pub)
		}
		next, changes, err := snapshot.Merge(doc.List, pub)
		if err != nil {
			return fmt.Errorf("%s: %w", e.file, err)
		}
		snapshot = next
		fmt.Fprintf(&table, "| %s | %s | %s | %d | %d | %d | %d | `%s` |\n", pub.PublishedOn, form(e.file), origin(e.derived),
			snapshot.List(doc.List.ID).Current().Rows, len(changes.Listed), len(changes.Delisted), len(changes.Amended), pub.Digest)
	}
	list := &snapshot.Lists()[0]
	snapshot = snapshot.Named(uint64(len(list.Publications)), list.Current().PublishedOn.Time())

	var file bytes.Buffer
	if _, err := snapshot.WriteTo(&file); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "snapshot.txt"), file.Bytes(), 0o644); err != nil {
		return err
	}
	page := fmt.Sprintf(provenance, snapshot.Digest(), table.String())
	return os.WriteFile(filepath.Join(out, "PROVENANCE.md"), []byte(page), 0o644)
}

// forgetIDs drops the row ids of a reconstructed publication: some are made up.
// Rows that an original publication carried keep the id it gave them.
func forgetIDs(pub *screen.Publication) {
	for i := range pub.Parties {
		for j := range pub.Parties[i].Addresses {
			pub.Parties[i].Addresses[j].SourceIDs = nil
		}
	}
}

func form(file string) string {
	if strings.Contains(file, "ADVANCED") {
		return "SDN_ADVANCED"
	}
	return "SDN.XML"
}

func origin(derived bool) string {
	if derived {
		return "reconstructed"
	}
	return "publisher"
}

//go:embed provenance.md.tmpl
var provenance string
