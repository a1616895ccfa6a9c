import MailFormat
import MailModel
import Testing

/// Mail that bears another's subject is not what it says: a bounce, a receipt or a reply is no complaint, and a person's
/// reply is no program's.
struct MistakenMailTests {
    private func recognize(_ text: String) -> Recognition { MailRecognizer.recognize(Corpus.message(text)) }

    // MARK: Complaints

    /// A report about a mail of ours, whose header it brings back.
    private func notice(_ subject: String, kind: String, part: String, fields: String) -> String {
        """
        Return-Path: <>
        From: MAILER-DAEMON@mx.example.org
        Subject: \(subject)
        Content-Type: multipart/report; report-type=\(kind); boundary=r

        --r
        Content-Type: text/plain

        About your mail.
        --r
        Content-Type: \(part)

        \(fields)
        --r
        Content-Type: text/rfc822-headers

        Message-ID: <m1@example.org>
        To: ann@example.net
        Subject: Your feedback report
        --r--
        """
    }

    private static let failure = """
        Reporting-MTA: dns; mx.example.org

        Final-Recipient: rfc822; ann@example.net
        Action: failed
        Status: 5.2.2
        """

    @Test(arguments: ["Undeliverable: Your feedback report", "Feedback report", "Spam complaint (undeliverable)"])
    func aBounceIsNoComplaint(subject: String) {
        for part in ["message/delivery-status", "message/global-delivery-status", "text/delivery-status"] {
            let found = recognize(notice(subject, kind: "delivery-status", part: part, fields: Self.failure))
            guard case .deliveryReport(let report) = found.mailClass else {
                Issue.record("\(part): \(found.mailClass.name)")
                continue
            }
            #expect(report.recipients.map(\.address) == ["ann@example.net"])
        }
    }

    /// Without a word of its kind it is known by its part alone.
    @Test func aBounceInAnotherEnvelopeIsNoComplaint() {
        let text = notice(
            "Abuse report", kind: "delivery-status", part: "message/delivery-status", fields: Self.failure
        ).replacing("multipart/report; report-type=delivery-status;", with: "multipart/mixed;")
        #expect(recognize(text).mailClass.name == "delivery_report")
    }

    @Test(arguments: ["Return Receipt (displayed) - Your feedback report", "Spam report", "Read: Abuse report"])
    func aReceiptIsNoComplaint(subject: String) {
        let text = notice(
            subject, kind: "disposition-notification", part: "message/disposition-notification",
            fields: "Original-Message-ID: <m1@example.org>\nDisposition: manual-action/MDN-sent-manually; displayed")
        #expect(recognize(text).mailClass.name == "disposition_notification")
    }

    /// With the mail attached, by a person.
    private func forwarded(_ subject: String) -> String {
        """
        Return-Path: <ann@example.net>
        From: Ann <ann@example.net>
        Subject: \(subject)
        Content-Type: multipart/mixed; boundary=m

        --m
        Content-Type: text/plain

        Please look at this.
        --m
        Content-Type: message/rfc822

        Message-ID: <m1@example.org>
        To: ann@example.net

        Hello
        --m--
        """
    }

    @Test(arguments: [
        "Re: Abuse report", "Fwd: spam report", "WG: Email Feedback Report", "Undeliverable: Your feedback report",
        "Question about your feedback report", "Return Receipt - spam complaint",
    ])
    func whoSpeaksOfAReportMakesNone(subject: String) {
        #expect(recognize(forwarded(subject)).mailClass == .ordinary)
    }

    @Test(arguments: [
        "complaint about message from 192.0.2.1", "Email Feedback Report for IP 192.0.2.1", "Abuse Report",
    ])
    func theOlderFormsStayComplaints(subject: String) {
        #expect(recognize(forwarded(subject)).mailClass.name == "complaint")
    }

    // MARK: Bounces

    /// A title in a name, and words that people write about mail. A program has a null reverse path, or is a postmaster.
    @Test(arguments: [
        ("jane@corp.example", "jane@corp.example", true), ("", "jane@corp.example", false),
        ("x@corp.example", "postmaster@corp.example", false),
    ])
    func anAdministratorIsNoMailSystem(path: String, from: String, isPerson: Bool) {
        let found = recognize(
            """
            Return-Path: <\(path)>
            From: "Jane Doe, System Administrator" <\(from)>
            Subject: Re: Hello

            Your message to <ann@example.net> was not delivered: delivery of the mail failed permanently.

            <ann@example.net>: 550 5.1.1 User unknown
            """)
        #expect((found.mailClass == .ordinary) == isPerson, "\(found.mailClass.name)")
    }

    // MARK: Automatic replies

    private func reply(_ subject: String, path: String = "ann@example.net", field: String = "X-Mailer: a") -> String {
        """
        Return-Path: <\(path)>
        From: Ann <ann@example.net>
        Subject: \(subject)
        \(field)

        Thanks, that helped.
        """
    }

    private static let answers = [
        "Re: Auto: Question", "Re: Set your out of office in 2 minutes", "AW: Abwesenheitsnotiz", "Fwd: Out of office",
        "[External] RE[2]: Autoreply: Question", "WG: Out of office", "Re(3): Autoreply", "RE : Out of office",
        "Odp: Autoreply: x", "答复: 自动回复 out of office",
    ]

    @Test(arguments: answers) func whoAnswersAProgramIsNone(subject: String) {
        #expect(recognize(reply(subject)).mailClass == .ordinary)
    }

    @Test(arguments: answers) func behindAReplySignOtherEvidenceDecides(subject: String) {
        #expect(recognize(reply(subject, path: "")).mailClass.name == "automatic_reply")
        #expect(recognize(reply(subject, field: "Auto-Submitted: auto-replied")).mailClass.name == "automatic_reply")
        #expect(recognize(reply(subject, field: "X-Autoreply: yes")).mailClass.name == "automatic_reply")
    }

    @Test(arguments: [
        "Auto: Question", "Out of office", "Ann is out of office", "Automatic reply: Re: Question",
        "[Auto-Reply] Re: Question", "Abwesenheitsnotiz: Ann", "Autoreply", "自动答复: 问题",
    ])
    func subjectsOfProgramsStayCertain(subject: String) {
        #expect(recognize(reply(subject)).mailClass.name == "automatic_reply")
    }
}
