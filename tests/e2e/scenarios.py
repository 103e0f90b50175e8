"""What happens on the stage, as functions that wait for each thing to have happened: the test asserts what they give, the demonstration shows them. hear(text) is told
what is about to be seen."""
import os

from stage import LIMIT_PERCENT  # finds tests/tools, too
import rungclient as r

DEADLINE = 60


def wait(what, look):
    """The first value of look that is none of None, False and empty."""
    found = []

    def condition():
        v = look()
        if v:
            found.append(v)
        return v
    r.deadline(DEADLINE, what, condition, 0.2)
    return found[-1]


def fires(stage, known):
    wait("the alert to fire", lambda: stage.prometheus.alerts().get("HostOutOfDiskSpace") == "firing")
    return wait("an incident", lambda: [i for i in stage.incidents() if i["incident"] not in known])[0]["incident"]


def closes(stage, incident):
    wait("the alert to be over", lambda: "HostOutOfDiskSpace" not in stage.prometheus.alerts())
    return wait("the incident to close", lambda: stage.incident(incident)["state"] == "resolved" and stage.incident(incident))


def mended(stage, hear=lambda text: None):
    """Files that may go fill the file system: the playbook finds that, its runbook removes them, the alert is over."""
    known = {i["incident"] for i in stage.incidents()}
    keep = os.path.join(stage.spool, "of-today")
    hear("something forgets to clean up: a folder of the small file system fills with old files")
    stage.fill(stage.spool, LIMIT_PERCENT - 30, names="export-%03d.csv", age_days=3)
    with open(keep, "wb") as f:
        f.write(b"new")
    hear("... and goes on, until it is over %d %%" % LIMIT_PERCENT)
    stage.fill(stage.spool, 92, names="export-more-%03d.csv", age_days=3)
    incident = fires(stage, known)
    hear("Prometheus' rule fires, Alertmanager posts it, rung opens an incident and starts the playbook that is bound to it")
    wait("the playbook to have ended", lambda: any(x["state"] == "succeeded" for x in stage.incident(incident)["executions"]))
    hear("the playbook found the cause, and its runbook removed what may go")
    after = closes(stage, incident)
    hear("the alert is over, the incident closes by itself, and nobody was woken")
    return {"incident": incident, "after": after, "percent": stage.percent(), "kept": os.path.exists(keep), "left": sorted(os.listdir(stage.spool))}


def woken(stage, hear=lambda text: None):
    """What fills it this time is nothing that the playbook knows: people are told, level by level, until one says that they have it."""
    known = {i["incident"] for i in stage.incidents()}
    mails, hooks = len(stage.mail.mails), len(stage.hook.messages)
    folders = [os.path.join(stage.disk, "customers", name) for name in ("ash", "birch", "cedar", "elm")]
    hear("now something fills it that is nobody's to remove: many files of today, in many places")
    for i, folder in enumerate(folders):
        stage.fill(folder, 25 + 22 * i, names="order-%03d")
    stage.fill(folders[-1], 92, names="order-more-%03d")
    incident = fires(stage, known)
    hear("the playbook looks, and finds no cause that it knows: it is escalated")
    mail = wait("a mail to the first level", lambda: stage.mail.mails[mails:])[0]
    hear("Ana, the first level, gets a mail. She sleeps")
    hook = wait("a message to the second level", lambda: stage.hook.messages[hooks:])[0]
    hear("so Bo, the second level, is told by a webhook; the message has a link")
    seen = stage.open_link(hook["link"])
    before = stage.incident(incident)
    stage.open_link(hook["link"], "POST")
    acknowledged = wait("the acknowledgement", lambda: stage.incident(incident)["state"] == "acknowledged" and stage.incident(incident))
    hear("Bo opens the link and says: I have it. Nobody else is told")
    told = (len(stage.mail.mails) - mails, len(stage.hook.messages) - hooks)
    for folder in folders:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
    hear("Bo makes room by hand")
    after = closes(stage, incident)
    hear("the alert is over, the incident closes")
    return {"incident": incident, "mail": mail, "hook": hook, "seen": seen, "before": before, "acknowledged": acknowledged, "after": after, "told": told}
