import CLibmilter
import Engine
import Logging
import MailModel

/// One connection of the MTA, from negotiation to its end: the commands of the protocol go to the `MilterSession`, its answers
/// become replies, and the end of a message goes to the intake.
///
/// Belongs to the thread of its connection. No command makes it fail but one that is none of the protocol.
final class MilterDialogue {
    /// The version of the protocol that is spoken (libmilter/mfdef.h, `SMFI_PROT_VERSION`).
    static let version: UInt32 = 6
    /// The oldest version that can be spoken with.
    private static let oldestVersion: UInt32 = 2

    private let context: MilterContext
    private let answer: @Sendable ([UInt8]) -> Void
    private var session: MilterSession
    private var negotiation: MilterNegotiation?
    private var macros = MilterMacros()
    /// True between a MAIL that was let in and the end of its message.
    private var isMessageOpen = false
    /// Whether that was probably the last chunk of a body that is wanted.
    private var isProbablyWhole = false
    /// A message is read before its end once: who sends its last chunk again and again pays the reading himself.
    private var wasReadAhead = false
    /// There was no place for the message. The MTA's own goes on without one, and does not ask for it again.
    private var wasPutOff = false
    /// The message under way, as it was read before its end.
    private var ahead: (recording: MessageRecording, queueID: String)?
    /// What the message under way holds of the room for all.
    private var share: InFlight.Share?

    /// The verdict on the last message. Until it is settled the MTA waits, and no command may be taken.
    private(set) var awaited: AwaitedVerdict?

    /// - Parameter answer: sends replies that come later than the command they belong to, from any thread.
    init(context: MilterContext, answer: @escaping @Sendable ([UInt8]) -> Void) {
        self.context = context
        self.answer = answer
        session = MilterSession(limits: context.configuration)
        context.meters.count { $0.openSessions += 1 }
    }

    deinit {
        endMessage()
        context.meters.count { $0.openSessions -= 1 }
    }

    /// Takes one command and hands over what is to be told to the MTA about it, which may be nothing. The end of a message is answered
    /// when there is a verdict (`awaited`).
    /// - Returns: false when the MTA has said that it will say no more.
    /// - Throws: `MilterFault` where the command does not fit the protocol.
    func take(_ command: MilterCommand, reply: (MilterReply) -> Void) throws(MilterFault) -> Bool {
        if case .negotiate(let version, let actions, let steps) = command {
            reply(try negotiate(version: version, actions: actions, steps: steps))
            return true
        }
        guard let negotiation else { throw MilterFault(.outOfOrder, "a command before the negotiation") }
        /// Not where the MTA was asked not to wait for it.
        func answer(_ message: MilterReply, unless step: Int) {
            if !negotiation.has(step) { reply(message) }
        }
        switch command {
        case .negotiate: break
        case .macros(let data): macros.take(data)
        case .connect(let name, let address):
            endMessage()
            session.connect(clientName: name, clientAddress: address)
            answer(.continue, unless: SMFIP_NR_CONN)
        case .helo(let name):
            session.greet(name)
            answer(.continue, unless: SMFIP_NR_HELO)
        case .mail(let words):
            mail(words)
            answer(.continue, unless: SMFIP_NR_MAIL)
        case .recipient(let argument):
            let isAnswered = !negotiation.has(SMFIP_NR_RCPT)
            let message = recipient(argument, isAnswered: isAnswered)
            if isAnswered { reply(message) }
        case .data: answer(data(isAnswered: !negotiation.has(SMFIP_NR_DATA)), unless: SMFIP_NR_DATA)
        case .header(let name, let value):
            header(name: name, value: value, hasBlank: negotiation.has(SMFIP_HDR_LEADSPC))
            answer(.continue, unless: SMFIP_NR_HDR)
        case .endOfHeader: answer(.continue, unless: SMFIP_NR_EOH)
        case .body(let chunk): reply(body(chunk, maySkip: negotiation.has(SMFIP_SKIP)))
        case .endOfMessage(let chunk): endOfMessage(after: chunk, reply: reply)
        case .abort:
            session.abort()
            endMessage()
        case .nextClient:
            session.connect(clientName: "", clientAddress: "")
            endMessage()
        case .unknown: answer(.continue, unless: SMFIP_NOUNKNOWN)
        case .quit: return false
        }
        return true
    }

    private func negotiate(version: UInt32, actions: UInt32, steps: UInt32) throws(MilterFault) -> MilterReply {
        guard negotiation == nil else { throw MilterFault(.outOfOrder, "a second negotiation") }
        guard version >= Self.oldestVersion else { throw MilterFault(.tooOld, "version \(version) of the protocol") }
        let asked = MilterNegotiation(
            offeredActions: UInt(actions), offeredSteps: UInt(steps),
            allowsQuarantine: context.configuration.allowsQuarantine,
            answersRecipients: context.configuration.answersRecipients)
        negotiation = asked
        return .negotiation(version: min(version, Self.version), asked)
    }

    // MARK: The envelope

    private func mail(_ words: [String]) {
        letGo()
        let login = macros.takeLogin()
        let argument = words.first ?? ""
        isMessageOpen = context.meters.beginMessage(isInternal: session.isInternal(argument))
        session.mail(
            argument, authenticatedUser: login.isEmpty ? nil : login, isDraining: !isMessageOpen,
            declaredSize: Self.declaredSize(words.dropFirst()))
    }

    /// The SIZE parameter of MAIL (RFC 1870); 0 when there is none.
    private static func declaredSize(_ parameters: ArraySlice<String>) -> Int {
        for parameter in parameters {
            let text = parameter.utf8
            guard text.count > 5, parameter.prefix(5).uppercased() == "SIZE=" else { continue }
            return Int(parameter.dropFirst(5)) ?? 0
        }
        return 0
    }

    private func recipient(_ argument: String, isAnswered: Bool) -> MilterReply {
        let intake = context.intake
        // There is nobody to tell where the mail is the MTA's own.
        if isAnswered, context.configuration.refusesRecipients, !session.isInternal,
            let reply = intake.refusal(of: MilterSession.address(in: argument))
        {
            context.meters.count { $0.rejectedRecipients += 1 }
            return .refusal(.permanent(reply))
        }
        let answer = session.recipient(argument, isAnswered: isAnswered) { intake.wants(recipient: $0) }
        guard isAnswered, case .tempfail(let reply) = answer else { return .continue }
        context.meters.count { $0.refusedRecipients += 1 }
        return .refusal(.temporary(reply))
    }

    /// Where this is not answered, the first chunk of the body is.
    private func data(isAnswered: Bool) -> MilterReply {
        let answer = session.data()
        if answer == .accept { context.meters.count { $0.unwanted += 1 } }
        takeShare()
        return isAnswered ? message(of: answer) : .continue
    }

    // MARK: The content

    private func header(name: String, value: UnsafeRawBufferPointer, hasBlank: Bool) {
        ahead = nil
        if hasBlank {
            session.header(name: name, value: value)
        } else {
            // The MTA ate the blank after the colon; nearly all mail has one.
            Array([0x20] + value).withUnsafeBytes { session.header(name: name, value: $0) }
        }
        // Of an MTA that says no DATA.
        takeShare()
    }

    private func body(_ chunk: UnsafeRawBufferPointer, maySkip: Bool) -> MilterReply {
        takeRoom(for: chunk.count)
        ahead = nil
        let answer = session.body(chunk)
        isProbablyWhole = answer == .continue && chunk.count < MilterSession.fullChunk
        return answer == .skip && maySkip ? .skip : message(of: answer)
    }

    private func endOfMessage(after chunk: UnsafeRawBufferPointer, reply: (MilterReply) -> Void) {
        if !chunk.isEmpty {
            let answer = body(chunk, maySkip: false)
            guard answer == .continue else { return reply(answer) }
        }
        let queueID = macros.queueID
        let recording = ahead?.queueID == queueID ? ahead?.recording : nil
        let end = session.endOfMessage(queueID: queueID)
        let held = Held(share: share, isOpen: isMessageOpen)
        isMessageOpen = false
        endMessage()
        let (context, answer) = (context, answer)
        @Sendable func answerLater(_ replies: [MilterReply]) {
            var bytes: [UInt8] = []
            for reply in replies { reply.append(to: &bytes) }
            answer(bytes)
            held.letGo(context)
        }
        switch end {
        case .message(let message):
            let (isInternal, mayQuarantine) = (message.isInternal, negotiation?.mayQuarantine == true)
            awaited = context.record(message, ahead: recording) { verdict in
                answerLater(context.replies(to: verdict, isInternal: isInternal, mayQuarantine: mayQuarantine))
            }
        case .submission(let submission):
            awaited = context.record(submission) { answerLater([context.reply(toOwn: $0)]) }
        case .answer(let answer):
            reply(self.message(of: answer))
            held.letGo(context)
        }
    }

    /// What a message keeps until it is answered.
    private struct Held: Sendable {
        let share: InFlight.Share?
        let isOpen: Bool

        /// The share goes with whoever knows this.
        func letGo(_ context: MilterContext) {
            if isOpen { context.meters.count { $0.messagesInFlight -= 1 } }
        }
    }

    /// An answer before or without an intake; anything but "continue" ends the message.
    private func message(of answer: MilterSession.Answer) -> MilterReply {
        switch answer {
        case .continue, .skip: return .continue
        case .accept:
            endMessage()
            return .accept
        case .tempfail(let reply):
            endMessage()
            return context.tempfail(reply)
        }
    }

    // MARK: What is under way

    /// Takes the message's place among those under way; without one it is put off.
    private func takeShare() {
        guard share == nil, !wasPutOff, session.phase == .collecting else { return }
        share = InFlight.Share(of: context.inFlight, client: session.client)
        if share == nil { putOff() }
    }

    /// Takes room for a chunk of the body.
    private func takeRoom(for count: Int) {
        takeShare()
        guard let share, session.phase == .collecting, !share.grow(by: min(count, session.room)) else { return }
        putOff()
    }

    private func putOff() {
        wasPutOff = true
        context.meters.count { $0.refusedBusy += 1 }
        session.refuse(MilterContext.busy)
    }

    private func endMessage() {
        macros.forgetMessage()
        letGo()
    }

    /// Gives back what the message holds. Its id stays: that of the next may have been said already (Sendmail says it before MAIL).
    private func letGo() {
        isProbablyWhole = false
        wasReadAhead = false
        wasPutOff = false
        ahead = nil
        share = nil
        guard isMessageOpen else { return }
        isMessageOpen = false
        context.meters.count { $0.messagesInFlight -= 1 }
    }

    /// Reads the message while the MTA is on its way to the end of it: to be called when everything was said that there was to say. After
    /// what was probably the last chunk, the answer to that and the command that follows cross the socket, and this thread has
    /// nothing to do. A message that was read in vain is read again, and costs nobody's waiting.
    func readAhead() {
        guard isProbablyWhole, !wasReadAhead else { return }
        isProbablyWhole = false
        wasReadAhead = true
        let queueID = macros.queueID
        guard let message = session.message(queueID: queueID), let recording = context.readAhead(message) else {
            return
        }
        ahead = (recording, queueID)
    }
}
