package loader

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"walletscreen/loader/custom"
	"walletscreen/loader/ofac"
	"walletscreen/screen"
)

// A registered list is one that the loader knows how to read and where to find.
type registered struct {
	screen.List
	// locations are the publisher's addresses of the document, in order of
	// preference.
	locations []string
	parse     func(io.Reader) (*screen.Publication, error)
	// shrink is the largest share of its rows that a list may lose in one
	// publication without an operator's word.
	shrink float64
}

// registry holds every list that is published.
var registry = []registered{
	{
		List: screen.List{
			ID:        "us-ofac-sdn",
			Kind:      screen.KindDesignation,
			Authority: "OFAC",
			Name:      "Specially Designated Nationals and Blocked Persons List",
			URL:       "https://sanctionslist.ofac.treas.gov/Home/SdnList",
		},
		locations: []string{"https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/SDN_ADVANCED.ZIP"},
		parse:     ofac.Parse,
		// The largest true delisting so far took 12.5 % of the rows (2025-03-21).
		shrink: 0.5,
	},
}

// lookup returns the list with the given id. An id that the registry does not
// know is an operator's own list.
func lookup(id screen.ListID) (registered, error) {
	if err := id.Validate(); err != nil {
		return registered{}, err
	}
	if i := slices.IndexFunc(registry, func(r registered) bool { return r.ID == id }); i >= 0 {
		return registry[i], nil
	}
	return registered{
		List:  screen.List{ID: id, Kind: screen.KindInternal, Authority: "operator", Name: string(id)},
		parse: parseOwn(id),
		// An operator may empty half a list, not all of it by a truncated file.
		shrink: 0.5,
	}, nil
}

// parseOwn reads an operator's own list. The commonest mistake is a misspelt id
// of a published list, so an error says what ids there are.
func parseOwn(id screen.ListID) func(io.Reader) (*screen.Publication, error) {
	return func(r io.Reader) (*screen.Publication, error) {
		pub, err := custom.Parse(r)
		if err != nil {
			var known []string
			for _, r := range registry {
				known = append(known, string(r.ID))
			}
			return nil, fmt.Errorf("%w (%q is no published list that this program knows, so it is read as an operator's own list; known: %s)",
				err, string(id), strings.Join(known, ", "))
		}
		return pub, nil
	}
}

// Lists returns the published lists that this program knows how to load.
func Lists() []screen.List {
	lists := make([]screen.List, len(registry))
	for i, r := range registry {
		lists[i] = r.List
	}
	return lists
}
