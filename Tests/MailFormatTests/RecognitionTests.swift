import MailFormat
import MailModel
import Testing

/// One mail of every class, in the forms that are met.
struct RecognitionTests {
    private func recognize(_ text: String) -> Recognition { MailRecognizer.recognize(Corpus.message(text)) }

    private func report(_ text: String) throws -> DeliveryReport {
        guard case .deliveryReport(let report) = recognize(text).mailClass else {
            throw NoReport(name: recognize(text).mailClass.name)
        }
        return report
    }

    private struct NoReport: Error { var name: String }

    private static let standard = """
        Return-Path: <>
        From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
        Subject: Undelivered Mail Returned to Sender
        Auto-Submitted: auto-replied
        Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

        --b1
        Content-Type: text/plain

        This is the mail system at host mx.example.org.

        <ann@example.net>: host mail.example.net[192.0.2.1] said: 550 5.1.1
            <ann@example.net>: no such user (in reply to RCPT TO command)

        <bob@example.net>: host mail.example.net[192.0.2.1] said: 452 4.2.2
            <bob@example.net>: over quota (in reply to RCPT TO command)
        --b1
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example.org
        X-Postfix-Queue-ID: 4Abc1
        Original-Envelope-Id: env-7

        Final-Recipient: rfc822; ann@example.net
        Original-Recipient: rfc822;Anna@example.net
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; mail.example.net
        Diagnostic-Code: smtp; 550 5.1.1 <ann@example.net>: no
            such user
        \u{20}
        Final-Recipient: rfc822; bob@example.net
        Action: failed
        Status: 4.2.2
        Diagnostic-Code: smtp; 452 4.2.2 <bob@example.net>: over quota
        --b1
        Content-Type: text/rfc822-headers

        Message-ID: <m1@example.org>
        X-Postrider: token
        Subject: Hello
        --b1--
        """

    @Test func standardReportsNameEveryRecipient() throws {
        let report = try report(Self.standard)
        #expect(report.recipients.map(\.address) == ["ann@example.net", "bob@example.net"])
        #expect(report.recipients.map(\.status.description) == ["5.1.1", "4.2.2"])
        #expect(report.recipients.map(\.reason) == [.userUnknown, .mailboxFull])
        #expect(report.recipients.map(\.isHard) == [true, false])
        #expect(report.recipients.map(\.replyCode) == [550, 452])
        #expect(report.recipients[0].originalAddress == "Anna@example.net")
        #expect(report.recipients[0].diagnostic == "550 5.1.1 <ann@example.net>: no such user")
        #expect(report.recipients[0].remoteHost == "mail.example.net")
        #expect(report.reportingHost == "mx.example.org")
        #expect(report.queueID == "4Abc1")
        #expect(report.envelopeID == "env-7")
    }

    @Test func theReturnedHeaderIsThereToCorrelate() throws {
        let original = try #require(try report(Self.standard).original)
        #expect(original.messageID == "m1@example.org")
        #expect(original.header("x-postrider") == "token")
    }

    @Test func bareCarriageReturnsAreLineEndsOfAFile() throws {
        let bytes = Array(Self.standard.utf8).map { $0 == 0x0A ? 0x0D : $0 }
        var message = Corpus.message(bytes)
        message.reversePath = ""
        guard case .deliveryReport(let report) = MailRecognizer.recognize(message).mailClass else {
            Issue.record("no report")
            return
        }
        #expect(report.recipients.count == 2)
    }

    @Test func lateIsNotFailed() throws {
        let delayed = Self.standard.replacing("Action: failed", with: "Action: delayed")
        let report = try report(delayed)
        #expect(report.recipients.allSatisfy { $0.action == .delayed && !$0.isHard && !$0.isFailure })
    }

    @Test func arrivedIsNoBounce() throws {
        let delivered = Self.standard.replacing("Action: failed", with: "Action: relayed")
        #expect(try report(delivered).recipients.allSatisfy { $0.reason == .delivered && !$0.isHard })
    }

    @Test func statusFieldsWithoutEmptyLinesAreToldApart() throws {
        let text = """
            From: Mail Delivery Subsystem <mailer-daemon@example.org>
            Content-Type: multipart/report; report-type=delivery-status; boundary=x

            --x
            Content-Type: message/delivery-status

            Reporting-MTA: dns; a.example
            Final-Recipient: rfc822; <ann@example.net>
            Action: failed
            Status: 5.0.0
            Final-Recipient: rfc822; bob@example.net
            Action: failed
            Status: 5.2.2
            --x--
            """
        #expect(try report(text).recipients.map(\.address) == ["ann@example.net", "bob@example.net"])
    }

    @Test func oldFormsAreRead() throws {
        let qmail = """
            Return-Path: <>
            From: MAILER-DAEMON@mx.example.org
            Subject: failure notice

            Hi. This is the qmail-send program at mx.example.org.
            I'm afraid I wasn't able to deliver your message to the following addresses.

            <ann@example.net>:
            Sorry, no mailbox here by that name. (#5.1.1)

            <bob@example.net>:
            192.0.2.1 does not like recipient.
            Remote host said: 552 5.2.2 mailbox over quota
            Giving up on 192.0.2.1.

            --- Below this line is a copy of the message.

            Return-Path: <we@example.org>
            Message-ID: <m2@example.org>
            To: ann@example.net, bob@example.net
            """
        let report = try report(qmail)
        #expect(report.recipients.map(\.address) == ["ann@example.net", "bob@example.net"])
        #expect(report.recipients.map(\.isHard) == [true, false])
        #expect(report.recipients.map(\.status.description) == ["5.1.1", "5.2.2"])
        #expect(report.original?.messageID == "m2@example.org")
    }

    @Test func aFieldThatNamesTheFailedIsEnough() throws {
        let exim = """
            X-Failed-Recipients: ann@example.net
            Auto-Submitted: auto-replied
            From: Mail Delivery System <Mailer-Daemon@mx.example.org>
            Subject: Mail delivery failed: returning message to sender

            A message that you sent could not be delivered to one or more of its
            recipients. The following address(es) failed:

              ann@example.net
                host mail.example.net [192.0.2.1]
                SMTP error from remote mail server after RCPT TO:<ann@example.net>:
                550 unknown user

            ------ This is a copy of the message, including all the headers. ------

            Return-path: <we@example.org>
            Received: from a by b
            Message-ID: <m3@example.org>
            """
        let recipient = try #require(try report(exim).recipients.first)
        #expect(recipient.address == "ann@example.net")
        #expect(recipient.isHard)
        #expect(recipient.replyCode == 550)
        #expect(recipient.isStatusDerived)
        #expect(recipient.status.category == 5)
    }

    @Test func aBoundaryThatIsNotTheDeclaredOneIsFound() throws {
        let text = Self.standard.replacing("boundary=\"b1\"", with: "boundary=\"other\"")
        #expect(try report(text).recipients.count == 2)
    }

    @Test func mailAboutBouncesIsNone() {
        let text = """
            Return-Path: <ann@example.net>
            From: Ann <ann@example.net>
            Subject: Re: Undelivered Mail Returned to Sender

            Hello, did you see this? My mail to <bob@example.net> could not be delivered:
            550 5.1.1 user unknown. What shall I do?
            """
        #expect(recognize(text).mailClass == .ordinary)
    }

    @Test func twoRecipientsOfOneReplyShareWhatItSays() throws {
        let text = """
            From: MAILER-DAEMON@example.org
            Subject: Returned mail: User unknown

               ----- Transcript of session follows -----
            550 5.1.1 <ann@example.net>, <bob@example.net> No such user
            """
        let report = try report(text)
        #expect(report.recipients.map(\.address) == ["ann@example.net", "bob@example.net"])
        #expect(report.recipients.allSatisfy { $0.isHard })
    }

    @Test func anAbsenceWithANullPathIsNoBounce() {
        let text = """
            Return-Path: <>
            From: Ann <ann@example.net>
            Subject: Re: Hello

            Your message could not be delivered to me while I travel. Please write to
            bob@example.net
            """
        if case .deliveryReport = recognize(text).mailClass { Issue.record("called a bounce") }
    }

    @Test func aParcelIsNoMail() {
        let text = """
            Return-Path: <noreply@parcels.example>
            From: Parcels <noreply@parcels.example>
            Subject: Delivery failed

            Your parcel could not be delivered.
            Questions? help@parcels.example
            """
        #expect(recognize(text).mailClass == .ordinary)
    }

    @Test func aReportInsideAnAttachedMessageIsTheAttachmentsOwn() {
        let inner = Self.standard.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n")
        let text = """
            Return-Path: <ann@example.net>
            From: Ann <ann@example.net>
            Subject: see attached
            Content-Type: multipart/mixed; boundary=outer

            --outer

            What is this?
            --outer
            Content-Type: message/rfc822

            \(inner)
            --outer--
            """
        #expect(recognize(text).mailClass == .ordinary)
    }

    // MARK: Complaints

    private static let complaint = """
        Return-Path: <fbl@provider.example>
        From: fbl@provider.example
        Subject: FW: Offer
        Content-Type: multipart/report; report-type=feedback-report; boundary=f

        --f
        Content-Type: text/plain

        This is an abuse report.
        --f
        Content-Type: message/feedback-report

        Feedback-Type: abuse
        User-Agent: Loop/1.0
        Version: 1
        Original-Rcpt-To: <ann@provider.example>
        Source-IP: 192.0.2.7
        --f
        Content-Type: message/rfc822

        Message-ID: <offer@example.org>
        To: undisclosed

        Buy.
        --f--
        """

    @Test func feedbackReportsAreComplaints() throws {
        guard case .complaint(let complaint) = recognize(Self.complaint).mailClass else {
            Issue.record("no complaint")
            return
        }
        #expect(complaint.feedbackType == "abuse")
        #expect(complaint.recipients == ["ann@provider.example"])
        #expect(complaint.sourceAddress == "192.0.2.7")
        #expect(complaint.original?.messageID == "offer@example.org")
        #expect(complaint.isAgainstUs)
    }

    @Test func notSpamIsNoComplaintAgainstUs() {
        let text = Self.complaint.replacing("Feedback-Type: abuse", with: "Feedback-Type: not-spam")
        guard case .complaint(let complaint) = recognize(text).mailClass else {
            Issue.record("no complaint")
            return
        }
        #expect(!complaint.isAgainstUs)
    }

    // MARK: Automatic replies

    @Test(arguments: [
        ("Auto-Submitted: auto-replied", "Out of office", "I am back on 12 January 2026.", "2026-01-12"),
        ("X-Autoreply: yes", "Re: Hello", "I am on vacation until January 5th.", "2026-01-05"),
        ("Precedence: auto_reply", "Abwesenheit", "Ich bin ab dem 07.01.2026 wieder erreichbar.", "2026-01-07"),
        ("Auto-Submitted: auto-replied", "Absence", "Je serai de retour le 3 février 2026.", "2026-02-03"),
        ("Auto-Submitted: auto-replied", "Ausente", "Estaré fuera hasta el 2 de marzo de 2026.", "2026-03-02"),
        ("Auto-Submitted: auto-replied", "Afwezig", "Ik ben weer terug op 9 april.", "2026-04-09"),
        ("Auto-Submitted: auto-replied", "Away", "Away from 2 to 2026-02-01, back on 2026-02-02.", "2026-02-02"),
    ])
    func absencesSayWhenTheyEnd(field: String, subject: String, text: String, date: String) {
        let mail = """
            Return-Path: <>
            From: Ann <ann@example.net>
            Subject: \(subject)
            Date: Sat, 20 Dec 2025 10:00:00 +0000
            In-Reply-To: <m4@example.org>
            \(field)

            \(text)
            """
        guard case .automaticReply(let reply) = recognize(mail).mailClass else {
            Issue.record("no automatic reply: \(recognize(mail).mailClass.name)")
            return
        }
        #expect(reply.kind == .outOfOffice)
        #expect(reply.returnDate?.description == date)
        #expect(reply.inReplyTo == "m4@example.org")
    }

    @Test func anAbsenceWithoutAnEndHasNone() {
        let mail = """
            From: Ann <ann@example.net>
            Subject: Automatic reply: Hello
            Date: Sat, 20 Dec 2025 10:00:00 +0000

            I am out of the office. In urgent cases call 555 1234 or room 12.
            """
        guard case .automaticReply(let reply) = recognize(mail).mailClass else {
            Issue.record("no automatic reply")
            return
        }
        #expect(reply.returnDate == nil)
    }

    @Test func peopleWriteOfVacationsToo() {
        let mail = """
            Return-Path: <ann@example.net>
            From: Ann <ann@example.net>
            Subject: Vacation plans

            I am on vacation until January 5th. See you there!
            """
        #expect(recognize(mail).mailClass == .ordinary)
    }

    // MARK: The others

    @Test(arguments: [
        (
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
            "--x\n\nread\n--x\nContent-Type: message/disposition-notification\n\nOriginal-Message-ID: <m5@example.org>\n--x--",
            "disposition_notification"
        ),
        ("Content-Type: text/calendar; method=REPLY; charset=utf-8", "BEGIN:VCALENDAR\nMETHOD:REPLY", "calendar_reply"),
        ("List-Id: <friends.example.org>", "Hello", "mailing_list"),
        ("Auto-Submitted: auto-generated", "Your disk is full.", "automatic"),
        (
            "Auto-Submitted: auto-replied",
            "Please click the link below to complete the verification, then your message will be delivered.",
            "challenge"
        ),
        ("X-Mailer: Some Program", "Hello", "ordinary"),
    ])
    func everyOtherClassHasItsSign(field: String, body: String, name: String) {
        let mail = "Return-Path: <ann@example.net>\nFrom: Ann <ann@example.net>\nSubject: Hello\n\(field)\n\n\(body)\n"
        #expect(recognize(mail).mailClass.name == name)
    }

    @Test func ownMailIsWhatTheCallerVerified() {
        let message = Corpus.message(
            "Return-Path: <ann@example.net>\nFrom: Ann <ann@example.net>\nSubject: Hello\n\nHello\n")
        let found = MailRecognizer.recognize(message, circumstances: .init(ownSigns: [.ownMark]))
        #expect(found == Recognition(.ownMail, [.ownMark]))
    }

    /// What says of itself what it is may bear the signs of the mail that it is about.
    @Test func reportsAndComplaintsStayWhatTheyAre() {
        let signs: [MailEvidence] = [.ownMark, .ownReturnPath, .ownMessageID]
        for text in [Self.standard, Self.complaint] {
            let message = Corpus.message(text)
            let found = MailRecognizer.recognize(message, circumstances: .init(ownSigns: signs))
            #expect(found == MailRecognizer.recognize(message) && found.mailClass != .ownMail)
        }
    }

    @Test(arguments: [
        ("Auto-Submitted: auto-replied", "automatic_reply"), ("List-Id: <friends.example.org>", "own_mail"),
        ("X-Mailer: Some Program", "own_mail"),
    ])
    func anIdentifierSaysLessThanAMark(field: String, name: String) {
        let header = "Return-Path: <ann@example.net>\nFrom: Ann <ann@example.net>\nSubject: Hello\n\(field)"
        let message = Corpus.message("\(header)\n\nI am away.\n")
        func found(_ signs: [MailEvidence]) -> Recognition {
            MailRecognizer.recognize(message, circumstances: .init(ownSigns: signs))
        }
        #expect(found([.ownMessageID]).mailClass.name == name)
        #expect(found([.ownMark, .ownMessageID]) == Recognition(.ownMail, [.ownMark, .ownMessageID]))
        #expect(found([.ownReturnPath]).mailClass == .ownMail)
    }
}
