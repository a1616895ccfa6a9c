import JSONValue

extension PublicPages {
    /// Pages without any file, in English: whatever an installation lost, a subscription can be ended.
    package static func bare() throws -> PublicPages {
        try PublicPages(
            Sources(
                layout: """
                    <!doctype html><html lang="en"><meta charset="utf-8"><title>{{ t.title }}</title>
                    <meta name="viewport" content="width=device-width"><main>{{ content | raw }}</main></html>
                    """,
                pages: [
                    .unsubscribe: """
                    <h1>Unsubscribe?</h1><form method="post"><p>{{ address }} will get no more mail to many from
                    {{ project }}.</p><button name="confirm" value="yes">Unsubscribe</button></form>
                    """,
                    .unsubscribed: "<h1>Unsubscribed</h1><p>{{ address }}</p>",
                    .preferences: """
                    <h1>Mail preferences</h1><form method="post"><input type="hidden" name="form"
                    value="preferences"><p><label><input type="checkbox" name="subscribed" value="yes"
                    {% if subscribed %}checked{% endif %}> Send mail to {{ address }}</label></p>
                    {% for topic in topics %}<p><label><input type="checkbox" name="topic" value="{{ topic.key }}"
                    {% if topic.chosen %}checked{% endif %}> {{ topic.name }}</label></p>{% endfor %}
                    <button>Save</button>{% if saved %}<p role="status">Saved.</p>{% endif %}</form>
                    """,
                    .notFound: "<h1>There is nothing here</h1>",
                    .unavailable: "<h1>Please try again later</h1>",
                ], texts: [mainLanguage: ["title": "Mail preferences"]]))
    }
}
