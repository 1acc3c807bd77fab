package message_test

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

func ExampleRead() {
	m, err := message.Read(strings.NewReader("From: Alice <alice@example.com>\nSubject: Hello\n\nHello, Bob.\n"), message.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	subject, _ := m.Header.First("subject")
	fmt.Printf("%s:%s\n", subject.Name, subject.Value())
	io.Copy(os.Stdout, m.Body)
	// Output:
	// Subject: Hello
	// Hello, Bob.
}

func ExampleHeader_Author() {
	header := message.Header{message.NewField("From", ` "ceo@bank.example" <alice@EXAMPLE.com>`)}
	fmt.Println(header.Author().Domain)

	header = message.Header{message.NewField("From", " alice@example.com, bob@example.org")}
	fmt.Println(header.Author().Err)
	// Output:
	// example.com
	// the From field holds 2 domains: example.com, example.org
}
