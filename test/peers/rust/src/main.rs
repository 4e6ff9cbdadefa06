// SPDX-License-Identifier: Apache-2.0

//! The unmodified AWS SDK for Rust talks to the emulator: a typed greeting, a spoken question that is answered with a tool, a
//! barge-in, and the close. Prints what happens as JSON lines. Arguments: two files of PCM, 16 kHz, 16 bit, mono. Endpoint, Region,
//! credentials and certificate come from AWS_ENDPOINT_URL_BEDROCK_RUNTIME, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
//! AWS_CA_BUNDLE.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs};

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::primitives::event_stream::EventStreamSender;
use aws_sdk_bedrockruntime::types::error::InvokeModelWithBidirectionalStreamInputError as InputError;
use aws_sdk_bedrockruntime::types::{
    BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Input,
    InvokeModelWithBidirectionalStreamOutput as Output,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// 32 ms at 16 kHz.
const FRAME: usize = 1024;

#[derive(Clone)]
struct Conversation(UnboundedSender<Result<Input, InputError>>);

impl Conversation {
    fn send(&self, name: &str, body: Value) {
        let bytes = Blob::new(json!({ "event": { name: body } }).to_string());
        let part = BidirectionalInputPayloadPart::builder().bytes(bytes);
        let _ = self.0.send(Ok(Input::Chunk(part.build())));
    }

    fn text(&self, name: &str, role: &str, content: &str, interactive: bool) {
        self.send(
            "contentStart",
            json!({"promptName": "p", "contentName": name, "type": "TEXT", "role": role, "interactive": interactive,
                "textInputConfiguration": {"mediaType": "text/plain"}}),
        );
        self.send("textInput", json!({"promptName": "p", "contentName": name, "content": content}));
        self.end(name);
    }

    fn tool_result(&self, id: &Value) {
        self.send(
            "contentStart",
            json!({"promptName": "p", "contentName": "result", "type": "TOOL", "role": "TOOL", "interactive": false,
                "toolResultInputConfiguration": {"toolUseId": id, "type": "TEXT",
                    "textInputConfiguration": {"mediaType": "text/plain"}}}),
        );
        let content = json!({"time": "five past nine"}).to_string();
        self.send("toolResult", json!({"promptName": "p", "contentName": "result", "content": content}));
        self.end("result");
    }

    fn end(&self, name: &str) {
        self.send("contentEnd", json!({"promptName": "p", "contentName": name}));
    }

    fn open(&self) {
        self.send(
            "sessionStart",
            json!({"inferenceConfiguration": {"maxTokens": 1024, "topP": 0.9, "temperature": 0.7}}),
        );
        let mut voice = lpcm(24_000);
        voice["voiceId"] = json!("tiffany");
        self.send(
            "promptStart",
            json!({"promptName": "p", "textOutputConfiguration": {"mediaType": "text/plain"},
                "audioOutputConfiguration": voice, "toolUseOutputConfiguration": {"mediaType": "application/json"},
                "toolConfiguration": {"tools": [{"toolSpec": {"name": "get_current_time", "description": "Tells the time.",
                    "inputSchema": {"json": "{\"type\":\"object\",\"properties\":{}}"}}}]}}),
        );
        self.text("system", "SYSTEM", "Be brief.", false);
        self.send(
            "contentStart",
            json!({"promptName": "p", "contentName": "audio", "type": "AUDIO", "role": "USER", "interactive": true,
                "audioInputConfiguration": lpcm(16_000)}),
        );
    }
}

fn lpcm(rate: u32) -> Value {
    json!({"mediaType": "audio/lpcm", "sampleRateHertz": rate, "sampleSizeBits": 16, "channelCount": 1,
        "encoding": "base64", "audioType": "SPEECH"})
}

/// Sends silence in real time, and speech when there is some, until it is aborted.
async fn microphone(conversation: Conversation, speech: Arc<Mutex<Vec<u8>>>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(32));
    loop {
        ticks.tick().await;
        let mut frame = {
            let mut left = speech.lock().unwrap();
            let length = left.len().min(FRAME);
            left.drain(..length).collect::<Vec<u8>>()
        };
        frame.resize(FRAME, 0);
        let content = BASE64_STANDARD.encode(frame);
        conversation.send("audioInput", json!({"promptName": "p", "contentName": "audio", "content": content}));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = env::args().skip(1).collect();
    let trusted = TrustStore::empty().with_pem_certificate(fs::read(env::var("AWS_CA_BUNDLE")?)?);
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(TlsContext::builder().with_trust_store(trusted).build()?)
        .build_https();
    let client = Client::new(&aws_config::from_env().http_client(http).load().await);

    let (sender, receiver) = unbounded_channel();
    let conversation = Conversation(sender);
    conversation.open();
    let speech = Arc::new(Mutex::new(Vec::new()));
    let mut voice = tokio::spawn(microphone(conversation.clone(), speech.clone()));
    conversation.text("greeting", "USER", "Greet the caller.", true);
    let mut stream = client
        .invoke_model_with_bidirectional_stream()
        .model_id("amazon.nova-2-sonic-v1:0")
        .body(EventStreamSender::from(UnboundedReceiverStream::new(receiver)))
        .send()
        .await?
        .body;

    // Dropped at the end, which ends the input.
    let mut open = Some(conversation);
    let mut replies = 0;
    while let Some(event) = stream.recv().await? {
        let Output::Chunk(part) = event else { continue };
        let message: Value = serde_json::from_slice(part.bytes().ok_or("no bytes")?.as_ref())?;
        let (name, body) = message["event"].as_object().and_then(|event| event.iter().next()).ok_or("no event")?;
        let Some(conversation) = &open else { continue };
        match name.as_str() {
            "textOutput" => {
                println!("{}", json!({"event": "text", "role": body["role"], "text": body["content"]}));
            }
            "toolUse" => {
                println!("{}", json!({"event": "tool", "name": body["toolName"]}));
                conversation.tool_result(&body["toolUseId"]);
            }
            "contentEnd" if body["stopReason"] == "INTERRUPTED" => {
                println!("{}", json!({"event": "interrupted"}));
            }
            "contentEnd" if body["type"] == "AUDIO" && body["stopReason"] == "END_TURN" => {
                replies += 1;
                if replies < 3 {
                    // The second time the reply still plays.
                    *speech.lock().unwrap() = fs::read(&files[replies - 1])?;
                } else {
                    voice.abort();
                    let _ = (&mut voice).await;
                    conversation.end("audio");
                    conversation.send("promptEnd", json!({"promptName": "p"}));
                    conversation.send("sessionEnd", json!({}));
                    open = None;
                }
            }
            _ => {}
        }
    }
    println!("{}", json!({"event": "closed"}));
    Ok(())
}
