import ArgumentParser
import Engine
import SQLStore
import Settings
import WorkflowModel

extension WebhookCommand {
    /// What the commands about subscriptions share.
    struct Place: ParsableArguments {
        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        /// Runs `body` over the installation's database.
        func run(
            makingDatabase: Bool = false, _ body: @escaping @Sendable (Webhooks) async throws -> Void
        ) throws {
            let configuration = try loadConfiguration(option.config)
            let project = project
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: makingDatabase)
                let catalog = try await context.store.read { try $0.loadCatalog() }
                guard let known = catalog.project(slug: project) else {
                    throw CommandFailure("there is no project \(project)")
                }
                try await body(Webhooks(context: context, projectID: known.id))
                try store.close()
            }
        }

        /// - Throws: `ValidationError` for a text that is no id.
        static func id(_ text: String) throws -> Identifier {
            guard let id = Identifier(text) else {
                throw ValidationError("\(text) is no id of a webhook; `postrider webhook list` shows them")
            }
            return id
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the webhooks that events are sent to, and how they fare.")

        @OptionGroup var place: Place

        func run() throws {
            try place.run { webhooks in
                let listings = try await webhooks.list()
                if listings.isEmpty { print("no webhooks") }
                for listing in listings { print(Self.line(listing)) }
            }
        }

        /// Without path and query, where secrets may stand.
        private static func line(_ listing: Webhooks.Listing) -> String {
            let subscription = listing.subscription
            let events = subscription.events.map(\.text).joined(separator: ",")
            let state =
                if let pause = subscription.pause {
                    "paused since \(pause.at): \(pause.reason)"
                } else if !subscription.isEnabled {
                    "disabled"
                } else if let since = listing.failingSince {
                    "failing since \(since)"
                } else {
                    "active"
                }
            return "\(subscription.id)  \(subscription.receiver)  \(events)  \(state)"
        }
    }

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Has the running daemon send the event webhook.test, and waits for the receiver's answer.")

        @OptionGroup var place: Place

        @Argument(help: "The webhook's id.")
        var id: String

        /// Seconds: the daemon looks for what others have queued every half minute.
        private static let patience: Int64 = 60

        func run() throws {
            let id = try Place.id(id)
            try place.run { webhooks in
                let delivery = try await webhooks.test(id).delivery
                print("queued as \(delivery.id)")
                let clock = webhooks.context.clock
                let deadline = clock.now().adding(seconds: Self.patience)
                while clock.now() < deadline {
                    try await clock.sleep(until: clock.now().adding(microseconds: 200_000))
                    let page = try await webhooks.deliveries(of: id, status: nil, before: delivery.id.next, limit: 1)
                    guard let now = page.first?.delivery, now.id == delivery.id, now.attempts > 0 else { continue }
                    guard now.status == .delivered else {
                        throw CommandFailure("the first attempt failed: \(now.reason ?? "")")
                    }
                    print("delivered, answered \(now.answer ?? 0)")
                    return
                }
                throw CommandFailure("no attempt within \(Self.patience) seconds: is the daemon running?")
            }
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Calls a paused webhook again, with what was pending and the events since.")

        @OptionGroup var place: Place

        @Argument(help: "The webhook's id.")
        var id: String

        func run() throws {
            let id = try Place.id(id)
            try place.run { webhooks in
                let (listing, replayed) = try await webhooks.resume(id)
                print("\(listing.subscription.id): \(replayed.queued) events queued")
                if let rest = replayed.continueFrom { print("there are more: replay from \(rest)") }
            }
        }
    }
}
