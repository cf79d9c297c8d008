package server

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "walletscreen/proto/walletscreen/v1"
)

// The page for clients has every error with the code and the detail that it is sent
// with.
func TestPageForClients(t *testing.T) {
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile("([a-z])([A-Z])")
	for reason, f := range failures {
		code := strings.ToUpper(words.ReplaceAllString(f.code.String(), "${1}_$2"))
		retry := "no"
		if f.retry > 0 {
			retry = "yes"
		}
		name := strings.TrimPrefix(reason.String(), "ERROR_REASON_")
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\| [A-Z]+ \\| `" + code + "` \\| " + retry + " \\|")
		if !row.Match(text) {
			t.Errorf("docs/clients.md has no row of %s with %s and RetryInfo %s", name, code, retry)
		}
	}
	values := pb.ErrorReason(0).Descriptor().Values()
	for reason, name := range pb.ErrorReason_name {
		never := reason == 0 || values.ByNumber(protoreflect.EnumNumber(reason)).Options().(*descriptorpb.EnumValueOptions).GetDeprecated()
		if _, ok := failures[pb.ErrorReason(reason)]; !ok && !never {
			t.Errorf("%s has no code", name)
		}
	}
}
