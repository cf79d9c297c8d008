package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/server"
)

// serveExample serves the snapshot of an example and returns where.
func serveExample() (addr string, stop func()) {
	list := screen.List{ID: "house", Kind: screen.KindInternal}
	s, _, err := screen.Empty().Merge(list, &screen.Publication{
		List: list.ID, PublishedOn: 20251104, Digest: screen.Digest{1},
		Parties: []screen.PublishedParty{{UID: "1", Addresses: []screen.PublishedAddress{{Text: listed}}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := server.New(server.Config{MaxListAge: 1e6 * 3600e9})
	srv.Swap(server.State{Snapshot: s.Named(1, published)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	g := srv.GRPC()
	go func() { _ = g.Serve(listener) }()
	return listener.Addr().String(), g.Stop
}

func Example() {
	addr, stop := serveExample()
	defer stop()

	// One client for the program; several servers if there are.
	c, err := client.New([]string{addr}, client.Options{UserAgent: "payouts/1.0"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	// Before each transfer, as late as possible:
	req := &pb.ScreenAddressesRequest{Addresses: []string{
		"0x000000000000000000000000000000000000dEaD",
		"0x098B716B8Aaf21512996dC57EB0615e2383E2f96",
		"vitalik.eth",
	}}
	res, err := c.ScreenAddresses(context.Background(), req)
	decisions := client.Policy{}.Decide(req, res, err)
	for i := range req.Addresses {
		d := decisions.At(i)
		fmt.Println(d.MayProceed(), d.Action(), d.Why())
	}
	// Output:
	// true PROCEED not listed
	// false BLOCK listed
	// false BLOCK the text is a name: resolve it and screen the address
}

func ExampleNew() {
	// Three servers, of which those are asked that are ready; each with a certificate
	// for its name. The token is read again when the file has changed.
	file, err := os.CreateTemp("", "token")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	fmt.Fprintln(file, "a-token-that-the-operator-made")
	c, err := client.New(
		[]string{"screening-1:50051", "screening-2:50051", "screening-3:50051"},
		client.Options{TLS: &tls.Config{MinVersion: tls.VersionTLS13}, TokenFile: file.Name()},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Close())
	// Output: <nil>
}

func ExampleBatches() {
	addr, stop := serveExample()
	defer stop()
	c, err := client.New([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	// Any source of lines, of any length.
	in := bufio.NewScanner(strings.NewReader("0x000000000000000000000000000000000000dEaD\n0x098B716B8Aaf21512996dC57EB0615e2383E2f96\n"))
	lines := func(yield func(string) bool) {
		for in.Scan() && yield(in.Text()) {
		}
	}
	for batch, err := range client.Batches(context.Background(), c, &pb.ScreenAddressesRequest{}, lines, strings.Clone, client.BatchOptions{}) {
		if err != nil {
			log.Fatal(err) // it tells where to resume
		}
		for i, line := range batch.Items {
			fmt.Println(batch.First+i, line, batch.Response.Results[i].Verdict)
		}
	}
	// Output:
	// 0 0x000000000000000000000000000000000000dEaD VERDICT_NOT_LISTED
	// 1 0x098B716B8Aaf21512996dC57EB0615e2383E2f96 VERDICT_LISTED
}
