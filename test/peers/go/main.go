// SPDX-License-Identifier: Apache-2.0

// The unmodified AWS SDK for Go talks to the emulator: a typed greeting, a spoken question that is answered with a tool,
// a barge-in, and the close. Prints what happens as JSON lines.
//
// Usage: go run . QUESTION.pcm INTERRUPTION.pcm (16 kHz, 16 bit, mono). Endpoint, Region, credentials and certificate come
// from AWS_ENDPOINT_URL_BEDROCK_RUNTIME, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_CA_BUNDLE.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

type fields = map[string]any

const frame = 1024 // 32 ms at 16 kHz

var plain = fields{"mediaType": "text/plain"}

func lpcm(rate int) fields {
	return fields{"mediaType": "audio/lpcm", "sampleRateHertz": rate, "sampleSizeBits": 16, "channelCount": 1,
		"encoding": "base64", "audioType": "SPEECH"}
}

func with(a, b fields) fields {
	all := fields{}
	for _, part := range []fields{a, b} {
		for key, value := range part {
			all[key] = value
		}
	}
	return all
}

func emit(event string, detail fields) {
	line, _ := json.Marshal(with(fields{"event": event}, detail))
	fmt.Println(string(line))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// microphone sends silence in real time, and speech when there is some.
type microphone struct {
	mutex  sync.Mutex
	speech []byte
}

func (m *microphone) say(file string) {
	pcm, err := os.ReadFile(file)
	must(err)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.speech = pcm
}

func (m *microphone) next() []byte {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	chunk := make([]byte, frame)
	m.speech = m.speech[copy(chunk, m.speech):]
	return chunk
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 80*time.Second)
	defer cancel()
	configuration, err := config.LoadDefaultConfig(ctx)
	must(err)
	client := bedrockruntime.NewFromConfig(configuration)
	output, err := client.InvokeModelWithBidirectionalStream(ctx, &bedrockruntime.InvokeModelWithBidirectionalStreamInput{
		ModelId: aws.String("amazon.nova-2-sonic-v1:0"),
	})
	must(err)
	stream := output.GetStream()
	var sending sync.Mutex
	send := func(name string, body fields) {
		bytes, _ := json.Marshal(fields{"event": fields{name: body}})
		sending.Lock()
		defer sending.Unlock()
		must(stream.Send(ctx, &types.InvokeModelWithBidirectionalStreamInputMemberChunk{
			Value: types.BidirectionalInputPayloadPart{Bytes: bytes},
		}))
	}
	at := func(content string) fields { return fields{"promptName": "p", "contentName": content} }
	text := func(content, role, words string, interactive bool) {
		send("contentStart", with(at(content), fields{"type": "TEXT", "role": role, "interactive": interactive,
			"textInputConfiguration": plain}))
		send("textInput", with(at(content), fields{"content": words}))
		send("contentEnd", at(content))
	}
	send("sessionStart", fields{"inferenceConfiguration": fields{"maxTokens": 1024, "topP": 0.9, "temperature": 0.7}})
	send("promptStart", fields{
		"promptName":                 "p",
		"textOutputConfiguration":    plain,
		"audioOutputConfiguration":   with(lpcm(24000), fields{"voiceId": "tiffany"}),
		"toolUseOutputConfiguration": fields{"mediaType": "application/json"},
		"toolConfiguration": fields{"tools": []fields{{"toolSpec": fields{"name": "get_current_time",
			"description": "Tells the time.", "inputSchema": fields{"json": `{"type":"object","properties":{}}`}}}}},
	})
	text("system", "SYSTEM", "Be brief.", false)
	send("contentStart", with(at("audio"), fields{"type": "AUDIO", "role": "USER", "interactive": true,
		"audioInputConfiguration": lpcm(16000)}))
	voice := &microphone{}
	done := make(chan struct{})
	silent := make(chan struct{})
	go func() {
		defer close(silent)
		ticker := time.NewTicker(32 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				send("audioInput", with(at("audio"), fields{"content": base64.StdEncoding.EncodeToString(voice.next())}))
			}
		}
	}()
	text("greeting", "USER", "Greet the caller.", true)

	replies := 0
	for event := range stream.Events() {
		chunk, ok := event.(*types.InvokeModelWithBidirectionalStreamOutputMemberChunk)
		if !ok {
			continue
		}
		var message struct{ Event map[string]fields }
		must(json.Unmarshal(chunk.Value.Bytes, &message))
		for name, body := range message.Event {
			switch name {
			case "textOutput":
				emit("text", fields{"role": body["role"], "text": body["content"]})
			case "toolUse":
				emit("tool", fields{"name": body["toolName"]})
				send("contentStart", with(at("result"), fields{"type": "TOOL", "role": "TOOL", "interactive": false,
					"toolResultInputConfiguration": fields{"toolUseId": body["toolUseId"], "type": "TEXT",
						"textInputConfiguration": plain}}))
				send("toolResult", with(at("result"), fields{"content": `{"time":"five past nine"}`}))
				send("contentEnd", at("result"))
			case "contentEnd":
				if body["type"] == "AUDIO" && body["stopReason"] == "END_TURN" {
					replies++
					switch replies {
					case 1:
						voice.say(os.Args[1])
					case 2: // The reply still plays.
						voice.say(os.Args[2])
					case 3:
						close(done)
						<-silent
						send("contentEnd", at("audio"))
						send("promptEnd", fields{"promptName": "p"})
						send("sessionEnd", fields{})
					}
				}
				if body["stopReason"] == "INTERRUPTED" {
					emit("interrupted", fields{})
				}
			}
		}
	}
	must(stream.Err())
	emit("closed", fields{})
}
