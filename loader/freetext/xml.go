package freetext

import "walletscreen/loader/xmlstream"

// Element reads the element that s began last with read, Prose or Detail: each of
// its texts, of the elements in it as well. It consumes it, and of what was read
// only the rows count as kept by s.
func (r *Rows) Element(s *xmlstream.Scanner, read func(text string)) error {
	kept := s.Kept - r.Kept
	texts, err := s.Texts()
	for _, text := range texts {
		read(text)
	}
	s.Kept = kept + r.Kept
	return err
}

// Unknown counts the element that s began last as unknown, and reads its
// attributes and texts as Element does, each behind the name of the element,
// which may be all that says what they are.
func (r *Rows) Unknown(s *xmlstream.Scanner) error {
	s.Unknown()
	before := string(s.Name) + ";\n"
	read := func(text string) { r.Detail(before + text) }
	kept := s.Kept - r.Kept
	for _, value := range s.Attrs() {
		read(value)
	}
	s.Kept = kept + r.Kept
	return r.Element(s, read)
}
