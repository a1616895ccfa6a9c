import MailModel
import Testing

private func record(_ line: String) -> MailLogRecord? { MailLogReader.record(in: Array(line.utf8)[...]) }

private func fact(_ tag: String, _ text: String) -> MailLogRecord.Fact? {
    record("Nov 26 18:35:37 mx \(tag)[12]: \(text)")?.fact
}

private func outcome(_ text: String) -> MailLogRecord.Outcome? {
    guard case .outcome(let outcome)? = fact("postfix/smtp", text) else { return nil }
    return outcome
}

@Suite struct MailLogReaderTests {
    // MARK: The head of a line

    @Test func traditionalTimesAreLocalAndWithoutAYear() throws {
        for (line, day) in [("Nov 26 18:35:37", 26), ("Nov  6 18:35:37", 6)] {
            let found = try #require(record("\(line) mx postfix/qmgr[1]: 4TkZQv1xyz: removed"))
            #expect(found.moment == .local(month: 11, day: day, hour: 18, minute: 35, second: 37))
            #expect(found.instance == "postfix" && found.program == "qmgr" && found.queueID == "4TkZQv1xyz")
        }
    }

    @Test(
        arguments: [
            "2026-11-26T18:35:37.250000+00:00", "2026-11-26T19:35:37.25+01:00", "2026-11-26T18:35:37.250Z",
            "2026-11-26T13:05:37.25-0530",
        ])
    func timesWithAZoneAreInstants(time: String) throws {
        let found = try #require(record("\(time) mx postfix/qmgr[1]: 3F0C12AB4: removed"))
        #expect(found.moment == .instant(1_795_718_137_250_000))
    }

    @Test(
        arguments: [
            "<22>Nov 26 18:35:37 mx postfix/smtp[12]: 3F0C12AB4: to=<a@b.example>, relay=none, delay=1, status=sent (x)",
            "<22>1 2026-11-26T18:35:37Z mx postfix/smtp 12 - - 3F0C12AB4: to=<a@b.example>, relay=none, status=sent (x)",
            "2026-11-26T18:35:37Z mx postfix/smtp 12 - - 3F0C12AB4: to=<a@b.example>, relay=none, status=sent (x)",
            "1 2026-11-26T18:35:37Z mx postfix/smtp 12 M1 - \u{FEFF}3F0C12AB4: to=<a@b.example>, status=sent (x)",
            #"<22>1 2026-11-26T18:35:37Z mx postfix/smtp 12 - [a b="] \"c"][d] 3F0C12AB4: to=<a@b.example>, status=sent (x)"#,
        ])
    func everyFormOfALineIsRead(line: String) throws {
        let found = try #require(record(line))
        #expect(found.queueID == "3F0C12AB4" && found.program == "smtp")
        guard case .outcome(let outcome) = found.fact else {
            Issue.record("\(found.fact)")
            return
        }
        #expect(outcome.recipient == "a@b.example" && outcome.status == .sent && outcome.reply == "x")
    }

    @Test func instancesAndServicesHaveNamesOfTheirOwn() throws {
        let other = try #require(
            record("Nov 26 18:35:37 mx postfix-out/smtp[12]: 3F0C12AB4: to=<a@b.example>, status=sent (x)"))
        #expect(other.instance == "postfix-out" && other.program == "smtp")
        let service = try #require(
            record("Nov 26 18:35:37 mx postfix/submission/smtpd[12]: 3F0C12AB4: client=c[192.0.2.7], sasl_username=ann")
        )
        #expect(service.instance == "postfix" && service.program == "smtpd")
        #expect(service.fact == .client(.init(name: "c", address: "192.0.2.7", login: "ann")))
    }

    @Test(
        arguments: [
            "", " ", "\u{0}", "Nov 26", "Nov 26 18:35:37", "Nov 26 18:35:37 mx",
            "Nov 26 18:35:37 mx sshd[1]: 3F0C12AB4: removed",
            "Nov 26 18:35:37 mx postfix/smtpd[1]: connect from c[192.0.2.7]",
            "Nov 26 18:35:37 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from c[192.0.2.7]: 554 5.7.1 no",
            "Nov 26 18:35:37 mx postfix/smtpd[1]: warning: hostname c does not resolve",
            "Nov 26 18:35:37 mx postfix/master[1]: daemon started",
            "Foo 26 18:35:37 mx postfix/qmgr[1]: 3F0C12AB4: removed",
            "Nov 32 18:35:37 mx postfix/qmgr[1]: 3F0C12AB4: removed",
            "Nov 26 24:35:37 mx postfix/qmgr[1]: 3F0C12AB4: removed",
            "2026-13-26T18:35:37Z mx postfix/qmgr[1]: 3F0C12AB4: removed",
            "2026-11-26T18:35:37 mx postfix/qmgr[1]: 3F0C12AB4: removed",
            "Nov 26 18:35:37 mx postfix/qmgr[1]: 3F0C12AB4:", "Nov 26 18:35:37 mx /qmgr[1]: 3F0C12AB4: removed",
            "<22>1 2026-11-26T18:35:37Z mx postfix/qmgr 1 - [a 3F0C12AB4: removed",
            "Nov 26 18:35:37 mx postfix/smtp[1]: 3F0C12AB4: to=<a@b.example, status=sent (x)",
            "Nov 26 18:35:37 mx postfix/smtp[1]: 3F0C12AB4: to=<a@b.example>, relay=none, delay=1",
            "Nov 26 18:35:37 mx postfix/smtp[1]: 3F0C12AB4: to=<a@b.example>, relay=none, status=deliverable (x)",
        ])
    func whatIsNotAboutOneMailIsNothing(line: String) { #expect(record(line) == nil) }

    // MARK: Facts

    @Test func theWayIntoTheQueueIsTold() {
        #expect(
            fact("postfix/smtpd", "3F0C12AB4: client=localhost[127.0.0.1]")
                == .client(.init(name: "localhost", address: "127.0.0.1")))
        #expect(
            fact("postfix/smtpd", "3F0C12AB4: client=c[2001:db8::1]:2525")
                == .client(.init(name: "c", address: "2001:db8::1")))
        #expect(fact("postfix/pickup", "3F0C12AB4: uid=0 from=<root>") == .pickedUp)
        #expect(fact("postfix/cleanup", "3F0C12AB4: message-id=<a@b>") == .messageID("a@b"))
        #expect(fact("postfix/cleanup", "3F0C12AB4: message-id=odd") == .messageID("odd"))
        #expect(
            fact("postfix/qmgr", "3F0C12AB4: from=<a@b>, size=431, nrcpt=1 (queue active)") == .queued(sender: "a@b"))
        #expect(fact("postfix/qmgr", "3F0C12AB4: from=<>, size=431, nrcpt=1 (queue active)") == .queued(sender: ""))
        let refusal = "END-OF-MESSAGE from c[192.0.2.7]: 5.7.1 no; from=<a@b> to=<c@d>"
        #expect(
            fact("postfix/cleanup", "3F0C12AB4: milter-reject: \(refusal)")
                == .filtered(action: "milter-reject", text: refusal))
    }

    @Test func theWayOutOfTheQueueIsTold() {
        #expect(fact("postfix/qmgr", "3F0C12AB4: removed") == .removed)
        #expect(fact("postfix/postsuper", "3F0C12AB4: removed") == .removed)
        #expect(fact("postfix/qmgr", "3F0C12AB4: from=<a@b>, status=expired, returned to sender") == .expired)
        #expect(fact("postfix/qmgr", "3F0C12AB4: from=<a@b>, status=force-expired, returned to sender") == .expired)
        #expect(
            fact("postfix/bounce", "3F0C12AB4: sender non-delivery notification: 4AB0C1234")
                == .notified(queueID: "4AB0C1234"))
        #expect(fact("postfix/qmgr", "3F0C12AB4: removed twice") == nil)
    }

    @Test func anAttemptIsReadWhole() throws {
        let sent = try #require(
            outcome(
                """
                4TkZQv1xyz: to=<ann@customer.example>, orig_to=<a@b.example>, relay=mx.customer.example[192.0.2.9]:25, \
                delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9A8B7C6D5)
                """))
        #expect(sent.recipient == "ann@customer.example" && sent.originalRecipient == "a@b.example")
        #expect(
            sent.relay == "mx.customer.example[192.0.2.9]:25" && sent.enhancedCode == "2.0.0" && sent.status == .sent)
        #expect(sent.reply == "250 2.0.0 Ok: queued as 9A8B7C6D5" && sent.nextQueueID == "9A8B7C6D5")
        let later = try #require(
            outcome(
                """
                3F0C12AB4: to=<a@b.example>, relay=none, delay=3, delays=3/0/0/0, dsn=4.4.1, status=deferred (connect to \
                mx.b.example[192.0.2.1]:25: Connection refused)
                """))
        #expect(later.status == .deferred && later.enhancedCode == "4.4.1" && later.originalRecipient == nil)
        #expect(later.reply == "connect to mx.b.example[192.0.2.1]:25: Connection refused" && later.nextQueueID == nil)
    }

    @Test func filtersSayWhereTheMailWent() throws {
        let sent = try #require(
            outcome(
                """
                3F0C12AB4: to=<a@b.example>, relay=127.0.0.1[127.0.0.1]:10024, dsn=2.0.0, status=sent (250 2.0.0 from \
                MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4TkZQw2zbc)
                """))
        #expect(sent.nextQueueID == "4TkZQw2zbc")
    }

    @Test func aQuotedLocalPartHidesNothing() throws {
        let address = #""x>, relay=r, dsn=2.0.0, status=sent (y)"@b.example"#
        let found = try #require(
            outcome("3F0C12AB4: to=<\(address)>, relay=none, dsn=5.1.1, status=bounced (no such user)"))
        #expect(found.recipient == address && found.status == .bounced && found.relay == "none")
    }

    @Test func whatTheOtherSideSaysIsNoField() throws {
        let found = try #require(
            outcome(
                "3F0C12AB4: to=<a@b.example>, relay=r, dsn=5.0.0, status=bounced (host said: , status=sent (ok), dsn=2.0.0)"
            ))
        #expect(found.status == .bounced && found.enhancedCode == "5.0.0")
        #expect(found.reply == "host said: , status=sent (ok), dsn=2.0.0")
    }

    @Test func longTextsAreCutAndControlCharactersAreReplaced() throws {
        let long = String(repeating: "x", count: 5000)
        let found = try #require(outcome("3F0C12AB4: to=<a@b.example>, relay=r, status=bounced (\u{1B}[31m\(long))"))
        #expect(found.reply.utf8.count == 998 && found.reply.hasPrefix("?[31mxxx"))
    }

    @Test func everyBeginningOfALineIsHarmless() {
        let line = Array(
            """
            <22>1 2026-11-26T18:35:37.123456+01:00 mx postfix/smtp 12 - [a b="c"] 4TkZQv1xyz: to=<"a b"@c.example>, \
            orig_to=<d@e.example>, relay=f[192.0.2.9]:25, delay=1.2, dsn=2.0.0, status=sent (250 ok: queued as 9A8B7C6D5)
            """.utf8)
        for count in line.indices {
            _ = MailLogReader.record(in: line[..<count])
            _ = MailLogReader.record(in: line[count...])
            for byte: UInt8 in [0, 0x20, 0x22, 0x5B, 0x5C, 0x3E, 0xFF] {
                var changed = line
                changed[count] = byte
                if case .outcome(let outcome)? = MailLogReader.record(in: changed[...])?.fact {
                    _ = outcome.nextQueueID
                }
            }
        }
    }
}
