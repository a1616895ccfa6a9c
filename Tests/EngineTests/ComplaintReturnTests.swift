import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Complaints about mails of ours: which are believed, and what they bring about.
@Suite struct ComplaintReturnTests {
    private func header(_ stage: ReturnStage, marker: Bool = true) -> [String] {
        (marker ? ["X-Postrider-Delivery: \(stage.marker)"] : []) + [
            "From: robot@example.com", "To: redacted@provider.example", "Subject: Hello",
            "Message-ID: \(stage.messageID)",
        ]
    }

    private func expectComplaint(_ stage: ReturnStage, by proof: String) async throws {
        let data = try #require(try await stage.events("email.complained").first)
        #expect(data["matchedBy"] == .string(proof) && data["feedbackType"] == "abuse")
        #expect(data["emailId"] == .string("\(stage.entry)") && data["isSuppressed"] == true)
        #expect(try await stage.reasons() == ["complaint"])
        #expect(try await stage.engine.contact()?.isSubscribed == false)
        let left = try #require(try await stage.events("contact.unsubscribed").first)
        #expect(left["reason"] == "complaint" && left["emailId"] == .string("\(stage.entry)"))
        let status = try await DirectMail(context: stage.engine.context).status(
            of: stage.entry, project: stage.engine.project.id)
        #expect(status.state == "complained")
    }

    @Test func aComplaintWithOurMarkerEndsAllMailAndTheSubscription() async throws {
        let stage = try await ReturnStage()
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, header: header(stage)))
        try await expectComplaint(stage, by: "marker")
    }

    /// Providers take out what names the reader, our marker perhaps included.
    @Test func theMessageIDIsEnoughForAComplaint() async throws {
        let stage = try await ReturnStage()
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, header: header(stage, marker: false)))
        try await expectComplaint(stage, by: "message_id")
    }

    @Test func withoutTheMailTheReversePathInTheReportProvesIt() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.complaint(
                to: ReturnStage.inbox, fields: ["Original-Mail-From: <\(stage.returnPath)>"], header: nil))
        try await expectComplaint(stage, by: "marker")
    }

    @Test func theLinkThatEndsTheSubscriptionProvesIt() async throws {
        let stage = try await ReturnStage()
        let token = stage.engine.context.tokens.token(.unsubscribe, for: stage.entry)
        await stage.receive(
            IncomingText.complaint(
                to: ReturnStage.inbox, header: ["List-Unsubscribe: <http://127.0.0.1:8480/u/\(token)>", "Subject: x"]))
        try await expectComplaint(stage, by: "marker")
    }

    @Test func aComplaintThatNamesNoMailIsShownAndEndsNothing() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.complaint(
                to: ReturnStage.inbox, fields: ["Original-Rcpt-To: ann@example.org"], header: nil))
        #expect(try await stage.events("email.complained").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        let report = try #require(try await stage.reports().first)
        #expect(report.outcome == "unknown" && report.address == "ann@example.org" && !report.isVerified)
        #expect(report.mailClass == "complaint" && report.details["feedbackType"] == "abuse")
    }

    @Test(arguments: ["not-spam", "auth-failure"])
    func whatIsNoComplaintEndsNothing(type: String) async throws {
        let stage = try await ReturnStage()
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, type: type, header: header(stage)))
        #expect(try await stage.events("email.complained").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        #expect(try await stage.engine.contact()?.isSubscribed == true)
        #expect(try await stage.reports().map(\.outcome) == ["no_complaint"])
    }

    /// A reader's program that wants no more in his name (RFC 6650 section 3.2 has no word of its own for it).
    @Test func anOptOutEndsTheSubscriptionOnce() async throws {
        let stage = try await ReturnStage()
        for id in ["c1", "c2"] {
            stage.engine.clock.advance(seconds: 1)
            await stage.receive(
                IncomingText.complaint(to: ReturnStage.inbox, type: "opt-out", header: header(stage), id: id))
        }
        #expect(try await stage.engine.contact()?.isSubscribed == false)
        let left = try await stage.events("contact.unsubscribed")
        #expect(left.map { $0["reason"] } == ["opt_out"] && left.map { $0["emailId"] } == [.string("\(stage.entry)")])
        #expect(try await stage.events("email.complained").isEmpty)
        #expect(try await stage.reasons().isEmpty, "the contact's own word is enough")
        #expect(try await stage.reports().map(\.outcome) == ["repeated", "unsubscribed"])
    }

    /// The mail is older than the contact's present address, and its reader is the contact all the same.
    @Test(arguments: ["opt-out", "abuse"])
    func aReaderWhoseAddressHasChangedEndsTheContactsSubscription(type: String) async throws {
        let stage = try await ReturnStage()
        let contact = try #require(try await stage.engine.contact())
        _ = try await stage.engine.contacts.change(contact.id, .init(email: "ann@example.net"))
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, type: type, header: header(stage)))
        #expect(try await stage.engine.contact("ann@example.net")?.isSubscribed == false)
        #expect(try await stage.reasons() == [type == "abuse" ? "complaint" : "unsubscribe"])
        #expect(try await stage.reasons("ann@example.net").isEmpty)
    }

    /// Mail that goes to somebody else than its contact: the reader speaks for the address, not for the contact.
    @Test func anOptOutOfSomebodyElseEndsMailToThatAddressAlone() async throws {
        let stage = try await ReturnStage(steps: [
            "mail": ["type": "SEND_EMAIL", "config": ["template": "hello", "to": "Sales <Sales@example.net>"]]
        ])
        for id in ["c1", "c2"] {
            stage.engine.clock.advance(seconds: 1)
            await stage.receive(
                IncomingText.complaint(to: ReturnStage.inbox, type: "opt-out", header: header(stage), id: id))
        }
        #expect(try await stage.engine.contact()?.isSubscribed == true)
        #expect(try await stage.reasons("sales@example.net") == ["unsubscribe"])
        #expect(try await stage.reports().map(\.outcome) == ["repeated", "unsubscribed"])
    }

    /// Nobody has a route for its address, and something follows from it all the same.
    @Test func aBounceFromAFileIsTakenIn() async throws {
        let stage = try await ReturnStage()
        let report = IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil)
        for _ in 0..<2 {
            #expect(try await stage.intake.take(report, .init(source: "import")) == [.returned])
        }
        #expect(try await stage.events("email.bounced").count == 1)
        let other = IncomingText.report(to: "nobody@test.example", recipients: [IncomingText.failed()], header: nil)
        #expect(try await stage.intake.take(other, .init(source: "import")).isEmpty)
    }

    @Test func aSecondComplaintAboutAMailIsNone() async throws {
        let stage = try await ReturnStage()
        for id in ["c1", "c2"] {
            stage.engine.clock.advance(seconds: 1)
            await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, header: header(stage), id: id))
        }
        #expect(try await stage.events("email.complained").count == 1)
        #expect(try await stage.events("contact.unsubscribed").count == 1)
        #expect(try await stage.reports().map(\.outcome) == ["repeated", "complained"])
    }

    @Test func aComplaintAboutAnErasedContactsMailWritesNothing() async throws {
        let stage = try await ReturnStage()
        let contact = try #require(try await stage.engine.contact())
        try await stage.engine.contacts.delete(contact.id)
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, header: header(stage)))
        #expect(try await stage.events("email.complained").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        #expect(try await stage.engine.contact() == nil)
    }
}
