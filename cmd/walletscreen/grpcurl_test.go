package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"walletscreen/screen/absent"
)

// grpcurl knows nothing of walletscreen but what reflection tells it: any client
// can be made from the server alone.
func TestGrpcurl(t *testing.T) {
	t.Parallel()
	tool := []string{"tool", "-modfile=../../.ci/tools.mod", "grpcurl"}
	if out, err := exec.Command("go", append(tool, "-version")...).CombinedOutput(); err != nil {
		absent.Skip(t, "NOT RUN with grpcurl, which does not build here: %v\n%s", err, out)
	}
	path, err := exec.Command("go", "tool", "-n", "-modfile=../../.ci/tools.mod", "grpcurl").Output()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	// answers runs grpcurl until it has printed so many messages; then it leaves, for
	// watches do not end by themselves.
	answers := func(body, method string, n int) []map[string]any {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, strings.TrimSpace(string(path)), "-plaintext", "-d", body, s.addr, method)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var all []map[string]any
		for in := json.NewDecoder(out); len(all) < n; {
			var answer map[string]any
			if err := in.Decode(&answer); err != nil {
				cancel()
				_ = cmd.Wait()
				t.Fatalf("%s, message %d: %v\n%s", method, len(all)+1, err, errs.String())
			}
			all = append(all, answer)
		}
		cancel()
		_ = cmd.Wait() // it was killed
		return all
	}
	call := func(body, method string) map[string]any {
		t.Helper()
		out, err := exec.Command(strings.TrimSpace(string(path)), "-plaintext", "-d", body, s.addr, method).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", method, err, out)
		}
		var answer map[string]any
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%s: %v\n%s", method, err, out)
		}
		return answer
	}
	answer := call(`{"addresses": ["0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz", "0x000000000000000000000000000000000000dEaD"]}`,
		"walletscreen.v1.ScreeningService/ScreenAddresses")
	want := []struct{ verdict, uid string }{{"VERDICT_LISTED", "27307"}, {"VERDICT_LISTED", "22985"}, {"VERDICT_NOT_LISTED", ""}}
	results, _ := answer["results"].([]any)
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d: %v", len(results), len(want), answer)
	}
	for i, w := range want {
		result := results[i].(map[string]any)
		uid := ""
		if matches, ok := result["matches"].([]any); ok {
			uid, _ = matches[0].(map[string]any)["listing"].(map[string]any)["partyUid"].(string)
		}
		if result["verdict"] != w.verdict || uid != w.uid {
			t.Errorf("result %d: %v of uid %q, want %s of %q", i, result["verdict"], uid, w.verdict, w.uid)
		}
	}
	if snapshot := call(`{}`, "walletscreen.v1.ListService/GetSnapshot"); len(snapshot["lists"].([]any)) != 1 {
		t.Errorf("GetSnapshot: %v", snapshot)
	}
	if health := call(`{"service": "walletscreen.v1.ScreeningService"}`, "grpc.health.v1.Health/Check"); health["status"] != "SERVING" {
		t.Errorf("health: %v", health)
	}
	if health := answers(`{"service": "walletscreen.v1.ScreeningService"}`, "grpc.health.v1.Health/Watch", 1); health[0]["status"] != "SERVING" {
		t.Errorf("health, watched: %v", health)
	}
	stream := answers(`{"addresses": ["0x098B716B8Aaf21512996dC57EB0615e2383E2f96"], "requestId": "1"} {"addresses": ["0x000000000000000000000000000000000000dEaD"], "requestId": "2"}`,
		"walletscreen.v1.ScreeningService/ScreenAddressStream", 2)
	for i, w := range []string{"VERDICT_LISTED", "VERDICT_NOT_LISTED"} {
		if results, _ := stream[i]["results"].([]any); len(results) != 1 || results[0].(map[string]any)["verdict"] != w || stream[i]["requestId"] != strconv.Itoa(i+1) {
			t.Errorf("stream, answer %d: %v, want %s", i+1, stream[i], w)
		}
	}
	served, _ := call(`{}`, "walletscreen.v1.ListService/GetSnapshot")["snapshot"].(map[string]any)
	if watch := answers(`{}`, "walletscreen.v1.ListService/WatchChanges", 1)[0]; watch["last"] != true || !reflect.DeepEqual(watch["snapshot"], any(served)) {
		t.Errorf("WatchChanges begins with %v, and %v is served", watch, served)
	}
	exported, err := base64.StdEncoding.DecodeString(answers(`{}`, "walletscreen.v1.ListService/ExportSnapshot", 1)[0]["data"].(string))
	if sum := sha256.Sum256(exported); err != nil || hex.EncodeToString(sum[:]) != served["digest"] {
		t.Errorf("what is exported has the digest %x, %v, want %s", sum, err, served["digest"])
	}
	out, err := exec.Command(strings.TrimSpace(string(path)), "-plaintext", "-d", `{}`, s.addr, "walletscreen.v1.ScreeningService/ScreenAddresses").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "InvalidArgument") || !strings.Contains(string(out), "NO_ADDRESSES") {
		t.Errorf("no addresses: %v\n%s", err, out)
	}
}
