package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"walletscreen/screen"
)

// verification is a screen.Verification as it is stored.
type verification struct {
	// SHA256 is that of the publication: this says nothing about another one. It is
	// left out while the snapshot does not hold the list.
	SHA256     string    `json:"sha256,omitempty"`
	VerifiedAt time.Time `json:"verified_at,omitzero"`
	Source     string    `json:"source"`
	Fetched    []fetched `json:"fetched,omitempty"`
	ReadBy     string    `json:"read_by,omitempty"`
	Held       *held     `json:"held,omitempty"`
}

type fetched struct {
	URL          string    `json:"url"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	At           time.Time `json:"at,omitzero"`
	SHA256       string    `json:"sha256"`
}

type held struct {
	Since       time.Time `json:"since"`
	PublishedOn string    `json:"published_on,omitempty"`
	SHA256      string    `json:"sha256"`
	Source      string    `json:"source"`
	Why         string    `json:"why"`
	RolledBack  uint64    `json:"rolled_back,omitempty"`
	Listed      int       `json:"listed"`
	Delisted    int       `json:"delisted"`
	Amended     int       `json:"amended"`
}

// encodeVerifications encodes verifications by list id. A list that s does not
// hold can only have a publication that is held.
func encodeVerifications(s *screen.Snapshot, verified Verified) (map[string]string, error) {
	fields := make(map[string]string, len(verified))
	for id, v := range verified {
		stored := verification{VerifiedAt: v.At.UTC(), Source: v.Source, ReadBy: v.ReadBy}
		switch list := s.List(id); {
		case list != nil:
			stored.SHA256 = list.Current().Digest.String()
		case v.Held == nil:
			return nil, fmt.Errorf("list %q is not in %s", id, s)
		}
		for _, f := range v.Fetched {
			stored.Fetched = append(stored.Fetched, fetched{f.URL, f.ETag, f.LastModified, f.At.UTC(), f.Digest.String()})
		}
		if h := v.Held; h != nil {
			stored.Held = &held{h.Since.UTC(), h.PublishedOn.String(), h.Digest.String(), h.Source, h.Why, h.RolledBack, h.Listed, h.Delisted, h.Amended}
		}
		value, err := json.Marshal(stored)
		if err != nil {
			return nil, fmt.Errorf("verification of list %q: %w", id, err)
		}
		fields[string(id)] = string(value)
	}
	return fields, nil
}

// decodeVerifications is the reverse. Those that are not about the newest
// publication in s of their list are left out, as are those of lists that s does
// not hold unless a publication of them is held. What cannot be read is the error,
// beside all that can.
func decodeVerifications(s *screen.Snapshot, fields map[string]string) (Verified, error) {
	verified := make(Verified, len(fields))
	var unreadable error
	for name, value := range fields {
		encoded, _, _ := strings.Cut(value, "\n") // the second line, if any, is the signature
		var stored verification
		v, err := screen.Verification{}, json.Unmarshal([]byte(encoded), &stored)
		if err == nil {
			v, err = stored.decode()
		}
		if err != nil {
			unreadable = errors.Join(unreadable, fmt.Errorf("verification of list %q: %w", name, err))
			continue
		}
		id := screen.ListID(name)
		about := ""
		if list := s.List(id); list != nil {
			about = list.Current().Digest.String()
		} else if v.Held == nil || id.Validate() != nil {
			continue
		}
		if stored.SHA256 == about {
			verified[id] = v
		}
	}
	return verified, unreadable
}

func (v *verification) decode() (screen.Verification, error) {
	out := screen.Verification{At: v.VerifiedAt, Source: v.Source, ReadBy: v.ReadBy}
	for _, f := range v.Fetched {
		digest, err := screen.ParseDigest(f.SHA256)
		if err != nil {
			return out, fmt.Errorf("fetched from %q: %w", f.URL, err)
		}
		out.Fetched = append(out.Fetched, screen.Fetched{URL: f.URL, ETag: f.ETag, LastModified: f.LastModified, At: f.At, Digest: digest})
	}
	if h := v.Held; h != nil {
		digest, err := screen.ParseDigest(h.SHA256)
		if err != nil {
			return out, fmt.Errorf("held: %w", err)
		}
		var on screen.Date
		if h.PublishedOn != "" {
			if on, err = screen.ParseDate(h.PublishedOn); err != nil {
				return out, fmt.Errorf("held: %w", err)
			}
		}
		out.Held = &screen.Held{
			Since: h.Since, PublishedOn: on, Digest: digest, Source: h.Source, Why: h.Why, RolledBack: h.RolledBack,
			Listed: h.Listed, Delisted: h.Delisted, Amended: h.Amended,
		}
	}
	return out, nil
}
