import JSONValue
import WorkflowModel

/// What readers do on the pages that their mail leads to: end a subscription, take it up again, choose topics.
///
/// The token of such a page names a mail and nobody else has it. It speaks for the mail's contact when the mail went to the
/// contact's address; otherwise for that address alone, which then gets no more mail to many.
package struct OptOuts: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// How somebody told us; what `contact.unsubscribed` says as `reason`.
    package enum Reason: String, Sendable {
        /// The mail program's own button (RFC 8058).
        case oneClick = "one_click"
        case page
    }

    /// A choice beside the subscription itself: a member of the contact's `topics` that is true or false.
    package struct Topic: Hashable, Sendable {
        package var key: String
        package var isChosen: Bool

        package init(key: String, isChosen: Bool) {
            self.key = key
            self.isChosen = isChosen
        }
    }

    /// What a page may show to whoever holds the token.
    package struct Standing: Hashable, Sendable {
        /// Nil when there is nothing left that anybody could be told of.
        package var address: String?
        package var projectName: String
        /// The contact's own `locale`.
        package var locale: String?
        package var isSubscribed: Bool
        package var topics: [Topic]
        /// The token of the page of preferences.
        package var manageToken: String

        package init(
            address: String?, projectName: String, locale: String? = nil, isSubscribed: Bool, topics: [Topic] = [],
            manageToken: String
        ) {
            self.address = address
            self.projectName = projectName
            self.locale = locale
            self.isSubscribed = isSubscribed
            self.topics = topics
            self.manageToken = manageToken
        }
    }

    /// The data member of a contact that holds its topics.
    static let topicsKey = "topics"

    // MARK: Looking

    /// - Returns: nil for what is no token of that kind.
    package func standing(_ token: String, kind: TokenSigner.Kind) async throws -> Standing? {
        guard let entryID = context.tokens.verify(token, kind: kind) else { return nil }
        let now = context.clock.now()
        let manageToken = context.tokens.token(.preferences, for: entryID)
        return try await context.store.read { reader in
            guard let entry = try reader.entry(entryID), !entry.request.isTest else { return Self.nobody(manageToken) }
            let contact = try reader.contact(entry.contactID, in: entry.projectID)
            let holder = Holder(entry, contact: contact)
            return holder.standing(
                projectName: try reader.project(entry.projectID)?.name ?? "",
                hasOptedOut: try reader.hasOptedOut(holder.address, of: entry.projectID, at: now, context),
                manageToken: manageToken)
        }
    }

    private static func nobody(_ manageToken: String) -> Standing {
        Standing(address: nil, projectName: "", isSubscribed: false, manageToken: manageToken)
    }

    // MARK: Changing

    /// Ends the subscription, if there still is one.
    /// - Returns: nil for what is no token.
    package func unsubscribe(_ token: String, reason: Reason) async throws -> Standing? {
        guard let entryID = context.tokens.verify(token, kind: .unsubscribe) else { return nil }
        return try await change(entryID, subscribed: false, topics: nil, reason: reason)
    }

    /// Sets what the page of preferences asks for. Topics that the contact does not have are left out.
    /// - Returns: nil for what is no token.
    package func save(_ token: String, subscribed: Bool, chosenTopics: Set<String>) async throws -> Standing? {
        guard let entryID = context.tokens.verify(token, kind: .preferences) else { return nil }
        return try await change(entryID, subscribed: subscribed, topics: chosenTopics, reason: .page)
    }

    /// - Parameter topics: those that are chosen; nil leaves them as they are.
    private func change(
        _ entryID: Identifier, subscribed: Bool, topics: Set<String>?, reason: Reason
    ) async throws -> Standing {
        let manageToken = context.tokens.token(.preferences, for: entryID)
        return try await context.transact { transaction in
            guard let entry = try transaction.store.entry(entryID), !entry.request.isTest else {
                return Self.nobody(manageToken)
            }
            let contact = try transaction.store.contact(entry.contactID, in: entry.projectID)
            var holder = Holder(entry, contact: contact)
            let origin: JSONObject = ["emailId": .string("\(entryID)"), "reason": .string(reason.rawValue)]
            if let before = holder.contact {
                var changed = before
                changed.isSubscribed = subscribed
                if let topics { changed.choose(topics) }
                let recorder = EventRecorder(transaction: transaction, projectID: entry.projectID)
                holder.contact = try recorder.change(
                    from: before, to: changed, generation: 0, subscriptionData: origin)
                if before.isSubscribed, !subscribed { try transaction.countUnsubscription(by: entry) }
            }
            if let address = holder.otherAddress, !subscribed {
                try transaction.optOut(address, of: entry.projectID, evidence: origin)
            }
            if subscribed {
                for address in holder.addresses {
                    try transaction.store.deleteSuppressions(of: address, reason: .unsubscribe, in: entry.projectID)
                    try transaction.store.deleteKeptSuppressions(
                        of: address, reason: .unsubscribe, in: entry.projectID, context)
                }
            }
            return holder.standing(
                projectName: transaction.catalog.projects.first { $0.id == entry.projectID }?.name ?? "",
                hasOptedOut: try transaction.store.hasOptedOut(
                    holder.address, of: entry.projectID, at: transaction.now, context),
                manageToken: manageToken)
        }
    }

    /// For whom a token speaks.
    private struct Holder {
        /// Nil where the mail went to somebody else.
        var contact: Contact?
        /// Where the mail went.
        private let recipient: String

        init(_ entry: OutboxEntry, contact: Contact?) {
            recipient = RecipientAddress.normal(entry.request.recipient)
            self.contact = contact.flatMap { entry.isTo($0) ? $0 : nil }
        }

        /// Where mail would go now.
        var address: String { contact?.email ?? recipient }

        /// Where the mail went, when that is not the contact's address, or is it no more.
        var otherAddress: String? { contact?.email == recipient ? nil : recipient }

        var addresses: Set<String> { [address, recipient] }

        /// The page shows no more of the address that a contact has now than its reader knows: the one the mail went to.
        /// - Parameter hasOptedOut: its owner has asked for no more mail to many, the contact's subscription aside.
        func standing(projectName: String, hasOptedOut: Bool, manageToken: String) -> Standing {
            guard let contact else {
                return Standing(
                    address: MaskedAddress.text(recipient), projectName: projectName, isSubscribed: !hasOptedOut,
                    manageToken: manageToken)
            }
            return Standing(
                address: MaskedAddress.text(recipient), projectName: projectName,
                locale: contact.data["locale"]?.stringValue, isSubscribed: contact.isSubscribed && !hasOptedOut,
                topics: contact.topics, manageToken: manageToken)
        }
    }
}

extension OutboundReader {
    /// Whether the owner of an address has said that it gets no more mail to many. What else stands against it, a full mailbox
    /// for example, is no choice of his and may end without him: the page asks all the same.
    func hasOptedOut(
        _ address: String, of project: Identifier, at time: Timestamp, _ context: EngineContext
    ) throws -> Bool {
        let listed = try suppressions(of: address, in: project)
        return try (listed + keptSuppressions(of: address, in: project, context)).contains {
            $0.reason == .unsubscribe && $0.isLive(at: time)
        }
    }
}

extension EngineTransaction {
    /// An address that is no contact's, or is it no more, gets no more mail to many: its owner has said so.
    func optOut(_ address: String, of project: Identifier, evidence: JSONObject) throws {
        wakes.withdraws = true
        try store.save(
            Suppression(
                projectID: project, address: address, reason: .unsubscribe, evidence: evidence, createdAt: now))
    }
}

extension OutboxEntry {
    /// Whether it is mail to its contact, whose address may be another one since, and not to somebody else about it.
    func isTo(_ contact: Contact) -> Bool {
        guard contact.id == contactID else { return false }
        // What no step has written goes to the contact alone.
        return request.isToContact || executionID == nil && !request.isTest
            || RecipientAddress.normal(request.recipient) == contact.email
    }
}

extension Contact {
    /// The members of its topics that are true or false, in their order.
    fileprivate var topics: [OptOuts.Topic] {
        (data[OptOuts.topicsKey]?.objectValue ?? [:]).compactMap { key, value in
            value.boolValue.map { OptOuts.Topic(key: key, isChosen: $0) }
        }
    }

    fileprivate mutating func choose(_ chosen: Set<String>) {
        guard var object = data[OptOuts.topicsKey]?.objectValue else { return }
        for topic in topics { object[topic.key] = .bool(chosen.contains(topic.key)) }
        data[OptOuts.topicsKey] = .object(object)
    }
}

/// An address as a page shows it: enough for its owner to know it, and too little for somebody to whom the mail was
/// forwarded.
enum MaskedAddress {
    static func text(_ address: String) -> String {
        guard let at = address.lastIndex(of: "@"), let first = address.first, address.startIndex < at else {
            return "…"
        }
        return "\(first)…\(address[at...])"
    }
}
