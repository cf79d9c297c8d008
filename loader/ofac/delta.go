package ofac

import (
	"fmt"
	"io"
	"strings"
	"time"

	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

// A Delta is what OFAC says it changed with one publication: in the SDN List and
// in the others. It is evidence about rows that a complete list has or no longer
// has, with a date; it is no list.
type Delta struct {
	PublishedAt time.Time // with the offset that is printed
	Type        string    // publicationType: "Standard Action"
	Entities    []DeltaEntity

	// Unexpected counts what the document holds and ParseDelta has no rule for, as
	// that of a Publication does.
	Unexpected map[string]int
}

// A DeltaEntity is a party that was added, removed or changed.
type DeltaEntity struct {
	UID    string // as in the lists
	Action Action
	// OffSDN says that the party stays, on another list, and was taken off the SDN
	// List.
	OffSDN bool
	// Addresses are the digital currency addresses that are printed with it. A
	// party that was removed has not always any.
	Addresses []DeltaAddress
}

// A DeltaAddress is one digital currency address of a party.
type DeltaAddress struct {
	Text      string // as published; "" if the document names only the feature
	Symbol    string // as published; "" if the document does not repeat it
	FeatureID string // as in the SourceIDs of a list's row
	Action    Action
}

// An Action says what happened to a party or an address.
type Action uint8

const (
	// ActionChange is every change that is neither of the others: "modify",
	// "change", "update", no word or one that is not known. What the change was,
	// only the complete list says.
	ActionChange Action = iota
	ActionAdd
	ActionRemove
)

var actionNames = [...]string{"change", "add", "remove"}

// String returns the action in lower case.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// action returns the action that a word means.
func action(word string) Action {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "add":
		return ActionAdd
	case "remove":
		return ActionRemove
	}
	return ActionChange
}

// firstAction returns the first of actions that is more than a change.
func firstAction(actions ...Action) Action {
	for _, a := range actions {
		if a != ActionChange {
			return a
		}
	}
	return ActionChange
}

// On returns the calendar date of the publication, as OFAC prints it.
func (d *Delta) On() screen.Date { return screen.DateOf(d.PublishedAt) }

// Removed reports whether the delta says that the party of that uid, or its
// address text, was taken off the SDN List, or the party off every list. It
// answers for a row that a complete list no longer has: of two rows with one
// text, under two symbols, a delta names only the one that was removed.
func (d *Delta) Removed(uid, text string) bool {
	added, removed := d.actions(uid, text)
	return removed && !added
}

// AddedOn returns the date of the publication if the delta says that the address
// text was added to the party of that uid, alone or with the party as a whole. An
// address that the same delta also removes, as when its symbol is corrected, is
// not new.
func (d *Delta) AddedOn(uid, text string) (screen.Date, bool) {
	if added, removed := d.actions(uid, text); !added || removed {
		return 0, false
	}
	return d.On(), true
}

// actions returns whether the address of a party was added and whether it was
// removed, by whatever in the delta.
func (d *Delta) actions(uid, text string) (added, removed bool) {
	text = strings.TrimSpace(text)
	for i := range d.Entities {
		e := &d.Entities[i]
		if e.UID != uid {
			continue
		}
		removed = removed || e.Action == ActionRemove || e.OffSDN
		for _, a := range e.Addresses {
			if strings.TrimSpace(a.Text) == text && text != "" {
				added = added || a.Action == ActionAdd
				removed = removed || a.Action == ActionRemove
			}
		}
	}
	return added, removed
}

// ParseDelta reads a delta file, https://www.treasury.gov/ofac/DeltaFile/1.0, to
// its end. A complete SDN_ENHANCED, which has the same root, is an error.
//
// The attribute action may stand on an entity, on its features as a whole, on a
// feature or on its value. That of the entity, if it is to add or to remove, holds
// for all of its addresses; else the first of those of the feature, its value and
// the features as a whole. An entity without one was changed in what stands in
// it. A value with an attribute oldValue is two addresses: the old one removed,
// the new one added. No published document with a changed address has been seen
// so far, so every place that may carry it is looked at.
func ParseDelta(r io.Reader) (*Delta, error) {
	s, err := begin(r)
	if err != nil {
		return nil, err
	}
	if string(s.Name) != "sanctionsData" {
		return nil, fmt.Errorf("ofac: delta file: line %d: root element <%.40s>, want <sanctionsData>", s.Line(), s.Name)
	}
	d, err := parseDelta(s)
	if err == nil {
		_, err = s.Next() // nothing but white space and comments, to the end of the input
	}
	if err != nil {
		return nil, fmt.Errorf("ofac: delta file: %w", err)
	}
	for what, n := range s.Unexpected() {
		d.unexpected(what, n)
	}
	return d, nil
}

func (d *Delta) unexpected(what string, n int) {
	if d.Unexpected == nil {
		d.Unexpected = make(map[string]int)
	}
	d.Unexpected[what] += n
}

// What is counted as unexpected in a delta file.
const (
	untypedFeature = "feature without a type that holds an address"
	emptyFeature   = "digital currency address without its text"
)

// parseDelta reads a delta file from behind the start tag of its root.
func parseDelta(s *xmlstream.Scanner) (*Delta, error) {
	d := new(Delta)
	var published string
	begun := false
	err := s.Children(func() error {
		switch string(s.Name) {
		case "publicationInfo":
			return s.Children(func() error {
				switch string(s.Name) {
				case "datePublished":
					return s.LeafOnce(&published)
				case "publicationType":
					return s.LeafOnce(&d.Type)
				case "dataAsOf":
					return s.Errorf("the document is a complete list, not a delta file")
				}
				s.Unknown()
				return nil
			})
		case "entities":
			begun = true
			return each(s, "entity", func() error {
				e, err := d.entity(s)
				d.Entities = append(d.Entities, e)
				return err
			})
		case "referenceValues", "featureTypes":
		default:
			s.Unknown()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d.PublishedAt, err = moment(published); err != nil {
		return nil, s.Errorf("publicationInfo/datePublished %w", err)
	}
	if !begun {
		return nil, s.Errorf("the document has no <entities>")
	}
	return d, nil
}

// entity reads an entity.
func (d *Delta) entity(s *xmlstream.Scanner) (DeltaEntity, error) {
	e := DeltaEntity{UID: s.Attr("id"), Action: action(s.Attr("action"))}
	if e.UID == "" {
		return e, s.Errorf("an <entity> without id")
	}
	err := s.Children(func() error {
		switch string(s.Name) {
		case "sanctionsLists":
			all := action(s.Attr("action"))
			return each(s, "sanctionsList", func() error {
				of := firstAction(action(s.Attr("action")), all)
				name, err := s.Leaf()
				if of == ActionRemove && strings.TrimSpace(name) == sdnList {
					e.OffSDN = true
				}
				return err
			})
		case "features":
			all := action(s.Attr("action"))
			return each(s, "feature", func() error {
				addresses, err := d.feature(s, e.Action, all)
				e.Addresses = append(e.Addresses, addresses...)
				return err
			})
		case "generalInfo", "sanctionsPrograms", "sanctionsTypes", "legalAuthorities", "names", "addresses",
			"identityDocuments", "relationships":
		default:
			s.Unknown()
		}
		return nil
	})
	return e, err
}

// feature reads a feature and returns the addresses in it, in an entity and among
// features with the given actions.
func (d *Delta) feature(s *xmlstream.Scanner, entity, features Action) ([]DeltaAddress, error) {
	type value struct {
		text, old string
		action    Action
	}
	var typ, oldType string
	var values []value
	id, of, kept := s.Attr("id"), action(s.Attr("action")), s.Kept
	err := s.Children(func() (err error) {
		switch string(s.Name) {
		case "type":
			oldType = s.Attr("oldValue")
			return s.LeafOnce(&typ)
		case "value":
			v := value{old: s.Attr("oldValue"), action: action(s.Attr("action"))}
			v.text, err = s.Leaf()
			values = append(values, v)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	sym, is := symbol(typ)
	oldSym, was := symbol(oldType)
	if typ == "" && oldType == "" {
		// What did not change is not always repeated.
		for _, v := range values {
			is = is || isAddress(v.text) || isAddress(v.old)
		}
		was = is
		if is {
			d.unexpected(untypedFeature, 1)
		}
	}
	if oldType == "" {
		was = is
	}
	if !is && !was {
		s.Kept = kept
		return nil, nil
	}
	if len(values) == 0 {
		values = append(values, value{})
	}
	var addresses []DeltaAddress
	for _, v := range values {
		if strings.TrimSpace(v.text) == "" {
			v.text, v.old = v.old, ""
		}
		if strings.TrimSpace(v.text) == "" {
			d.unexpected(emptyFeature, 1)
		}
		a := DeltaAddress{Text: v.text, Symbol: sym, FeatureID: id, Action: firstAction(entity, of, v.action, features)}
		if a.Action == ActionChange {
			switch {
			case !is: // the feature is none of an address any longer
				a.Symbol, a.Action = oldSym, ActionRemove
			case !was:
				a.Action = ActionAdd
			case v.old != "" && v.old != v.text:
				addresses = append(addresses, DeltaAddress{Text: v.old, Symbol: sym, FeatureID: id, Action: ActionRemove})
				a.Action = ActionAdd
			}
		}
		addresses = append(addresses, a)
	}
	return addresses, nil
}

// isAddress reports whether text is an address as a whole.
func isAddress(text string) bool { return len(address.ScanCell(text).Found) > 0 }
