package loader

import (
	"errors"
	"fmt"
	"strings"

	"walletscreen/screen"
)

// A Source says where to read a publication of a list.
type Source struct {
	List screen.ListID
	// Documents are the locations of the documents that make up the publication,
	// mostly one: a file's path, an http or https URL, "-" for standard input. None
	// means the publisher's own.
	Documents []string
	// PublishedOn is the date of a publication whose documents do not say it; 0
	// when not given.
	PublishedOn screen.Date
}

// between parts the documents of one publication in a source. Neither a URL nor a
// sane file's name holds it.
const between = " + "

// ParseSource reads "LIST", "LIST=LOCATION" or "LIST@DATE=LOCATION", where several
// locations are joined by " + ". Its errors do not repeat a location: a URL may
// hold a password.
func ParseSource(s string) (Source, error) {
	head, location, given := strings.Cut(s, "=")
	if strings.Contains(head, "://") {
		return Source{}, errors.New("source: it begins as a URL, want LIST=URL")
	}
	list, date, dated := strings.Cut(head, "@")
	src := Source{List: screen.ListID(list)}
	if err := src.List.Validate(); err != nil {
		return src, fmt.Errorf("source: %w (want LIST or LIST=LOCATION)", err)
	}
	if dated {
		var err error
		if src.PublishedOn, err = screen.ParseDate(date); err != nil {
			return src, fmt.Errorf("source of list %s: %w", list, err)
		}
	}
	if !given {
		if dated {
			return src, fmt.Errorf("source of list %s: a date is for documents that do not say theirs: want LIST@DATE=LOCATION", list)
		}
		return src, nil
	}
	for document := range strings.SplitSeq(location, between) {
		if document = strings.TrimSpace(document); document == "" {
			return src, fmt.Errorf("source of list %s: want LIST=FILE or LIST=URL", list)
		}
		src.Documents = append(src.Documents, document)
	}
	return src, nil
}
