import Foundation
import JSONValue
import ServerTestKit
import Testing

/// `postrider doctor` with a real name server, and with a real opendkim in front of the daemon.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct DoctorStories {
    private static let domain = "shop.example"

    /// A domain of which receivers think well, but for its DKIM key.
    private static let records = [
        "shop.example. IN MX 10 mail.shop.example.", "mail.shop.example. IN A 192.0.2.10",
        "shop.example. IN TXT \"v=spf1 ip4:192.0.2.10 -all\"",
        "_dmarc.shop.example. IN TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@shop.example\"",
        "10.2.0.192.in-addr.arpa. IN PTR mail.shop.example.",
    ]

    private struct Report {
        let status: SpawnedProcess.ExitStatus
        let text: String
        let findings: [JSON]

        init(_ arguments: [String]) async throws {
            let result = try await BadInputCommand.run(["doctor", "--json"] + arguments, deadline: .seconds(60))
            status = result.status
            text = result.text
            findings = try JSONParser.parse(result.text)["findings"]?.arrayValue ?? []
        }

        /// The messages of one check and severity.
        func messages(_ severity: String, _ check: String? = nil) -> [String] {
            findings.filter {
                $0["severity"]?.stringValue == severity && (check == nil || $0["check"]?.stringValue == check)
            }.compactMap { $0["message"]?.stringValue }
        }
    }

    /// A site whose mail passes opendkim first.
    private static func play(
        _ lines: [String], signerFirst: Bool = true,
        _ body: (StorySite, PrivateOpendkim, _ arguments: [String]) async throws -> Void
    ) async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [.note("email.received", slug: "note")])
        let daemon = try await story.start()
        let signer = try await PrivateOpendkim.start(in: story.directory, domain: domain, lines)
        let resolver = try await PrivateResolver.start(in: story.directory, records: records + [signer.record])
        try await story.site.postfix.reconfigure {
            $0.milters = signerFirst ? [signer.milter] + $0.milters : $0.milters + [signer.milter]
        }
        try await body(
            story, signer,
            [
                "--domain", domain, "--ip", "192.0.2.10", "--resolver", resolver.address, "--config",
                story.site.configurationPath,
            ])
        // It is nobody's mail.
        #expect(try await daemon.executions(of: "note").isEmpty)
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        #expect(try await story.site.sink.messages().isEmpty)
        try await daemon.process.terminate()
        try await signer.stop()
        try await resolver.stop()
        try await story.stop()
    }

    @Test func aMailThatOpendkimSignsAsToldHasNothingToMend() async throws {
        try await Self.play(["SignHeaders *,+List-Unsubscribe,+List-Unsubscribe-Post"]) { _, _, arguments in
            let report = try await Report(arguments + ["--send"])
            #expect(report.status == .exited(0), "\(report.text)")
            #expect(report.messages("error") == [])
            // This site's own address is not https.
            #expect(report.messages("warning").count == 1, "\(report.text)")
            #expect(
                report.messages("ok", "unsubscribe")
                    == ["the signature covers List-Unsubscribe and List-Unsubscribe-Post"])
            #expect(report.messages("ok", "dkim").contains("the mail is signed by shop.example with post"))
            #expect(report.messages("ok", "dkim").contains { $0.contains("RSA with 2048 bits") })
            for check in ["mx", "spf", "dmarc", "ptr"] {
                #expect(report.messages("ok", check).count == 1, "\(check): \(report.text)")
            }
        }
    }

    @Test func opendkimByItselfLeavesOneClickOpen() async throws {
        try await Self.play([]) { _, _, arguments in
            let report = try await Report(arguments + ["--send"])
            #expect(report.status == .exited(1), "\(report.text)")
            #expect(report.messages("error").count == 1, "\(report.text)")
            let message = try #require(report.messages("error", "unsubscribe").first)
            #expect(message.contains("does not cover List-Unsubscribe-Post"))
            #expect(report.text.contains("SignHeaders *,+List-Unsubscribe,+List-Unsubscribe-Post"))
        }
    }

    @Test func aSignerBehindTheDaemonIsNoSigner() async throws {
        try await Self.play([], signerFirst: false) { _, _, arguments in
            let report = try await Report(arguments + ["--send"])
            #expect(report.status == .exited(1), "\(report.text)")
            #expect(report.messages("error", "dkim") == ["the mail bears no DKIM signature"], "\(report.text)")
            #expect(report.text.contains("before Postrider in smtpd_milters"), "\(report.text)")
        }
    }

    @Test func aMailThatDoesNotComeBackIsSaidOnce() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [.note("email.received", slug: "note")])
        let resolver = try await PrivateResolver.start(in: story.directory, records: Self.records)
        // Without the daemon Postfix takes no mail.
        let report = try await Report([
            "--domain", Self.domain, "--ip", "192.0.2.10", "--resolver", resolver.address, "--send", "--config",
            story.site.configurationPath,
        ])
        #expect(report.status == .exited(1), "\(report.text)")
        #expect(report.messages("error", "mail").count == 1, "\(report.text)")
        #expect(report.messages("error", "mail").first?.contains("451") == true, "\(report.text)")
        try await resolver.stop()
        try await story.stop()
    }

    /// The records that the command names, put into the zone, are what it asked for.
    @Test func aBareDomainIsMendedByTheRecordsThatAreNamed() async throws {
        let directory = try ServerDirectory.temporary()
        var zone = ["bare.example. IN TXT \"v=spf1 oops\"", "something.bare.example. IN A 192.0.2.99"]
        let arguments = ["--domain", "bare.example", "--ip", "192.0.2.1", "--config", directory.path("none.yaml")]
        var rounds = 0
        while true {
            let resolver = try await PrivateResolver.start(in: directory, name: "unbound\(rounds)", records: zone)
            let report = try await Report(arguments + ["--resolver", resolver.address])
            try await resolver.stop()
            let wanted = report.findings.filter { $0["severity"]?.stringValue == "error" }.compactMap { $0["record"] }
            if rounds == 0 {
                #expect(report.status == .exited(1))
                #expect(
                    Set(
                        report.findings.filter { $0["severity"]?.stringValue == "error" }
                            .compactMap { $0["check"]?.stringValue }) == ["mx", "spf", "dmarc", "ptr"], "\(report.text)"
                )
            }
            if wanted.isEmpty {
                #expect(report.status == .exited(0), "\(report.text)")
                #expect(report.messages("ok", "spf").count == 1, "\(report.text)")
                #expect(report.messages("ok", "ptr").count == 1, "\(report.text)")
                break
            }
            for record in wanted {
                let line = try #require(record["line"]?.stringValue)
                let start = "\(record["name"]?.stringValue ?? ""). IN \(record["type"]?.stringValue ?? "") "
                zone.removeAll { $0.hasPrefix(start) }
                zone.append(line)
            }
            rounds += 1
            guard rounds < 5 else {
                Issue.record("still: \(report.text)")
                break
            }
        }
        #expect(rounds > 0)
        try await directory.remove()
    }

    @Test func aMailFromAFileIsLookedAt() async throws {
        let directory = try ServerDirectory.temporary()
        let resolver = try await PrivateResolver.start(in: directory, records: Self.records)
        let mail = try directory.write(
            "mail.eml",
            """
            DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=lost; h=from:list-unsubscribe;
            \tbh=AAAA; b=AAAA
            From: Shop <news@shop.example>
            List-Unsubscribe: <https://shop.example/u/x>
            List-Unsubscribe-Post: List-Unsubscribe=One-Click

            Hello.

            """)
        let common = ["--domain", Self.domain, "--resolver", resolver.address, "--config", directory.path("none.yaml")]
        let report = try await Report(common + ["--mail", mail])
        #expect(report.status == .exited(1), "\(report.text)")
        #expect(
            report.messages("error", "dkim") == ["there is no key at lost._domainkey.shop.example"], "\(report.text)")
        #expect(report.messages("error", "unsubscribe").count == 1, "\(report.text)")
        #expect(report.messages("warning", "ptr").count == 1, "\(report.text)")
        for (name, text) in [("empty", ""), ("binary", "\u{0}\u{1}\u{2}"), ("text", "no field in it\n")] {
            let path = try directory.write(name, text)
            let refused = try await BadInputCommand.run(["doctor"] + common + ["--mail", path])
            #expect(refused.status == .exited(1) && refused.text.contains("is no mail"), "\(name): \(refused.text)")
        }
        let absent = try await BadInputCommand.run(["doctor"] + common + ["--mail", directory.path("absent")])
        #expect(absent.status == .exited(1) && absent.text.contains("cannot be read"), "\(absent.text)")
        let words = try await BadInputCommand.run(["doctor"] + common, deadline: .seconds(30))
        #expect(words.text.contains("ok: mx: shop.example takes mail at mail.shop.example"), "\(words.text)")
        // The daemon's own name server is asked where no other is named.
        let configuration = try directory.write("postrider.yaml", "dns:\n  server: \(resolver.address)\n")
        let own = try await Report(["--domain", Self.domain, "--ip", "192.0.2.10", "--config", configuration])
        #expect(own.messages("ok", "mx") == ["shop.example takes mail at mail.shop.example"], "\(own.text)")
        try await resolver.stop()
        try await directory.remove()
    }

    @Test(arguments: [
        ["--domain", "localhost"], ["--domain", "a b.example"], ["--domain", "-x.example"], [],
        ["--domain", "a.example", "--ip", "1.2.3"], ["--domain", "a.example", "--resolver", "localhost"],
        ["--domain", "a.example", "--selector", "a b"], ["--domain", "a.example", "--selector", ""],
        ["--domain", "a.example", "--send", "--mail", "x"], ["--domain", "a.example", "--recipient", "a@b.example"],
        ["--domain", "a.example", "--send", "--recipient", "nobody"],
    ])
    func whatCannotBeMeantIsRefused(_ arguments: [String]) async throws {
        let refused = try await BadInputCommand.run(["doctor"] + arguments)
        #expect(refused.status == .exited(64), "\(refused.text)")
    }
}
