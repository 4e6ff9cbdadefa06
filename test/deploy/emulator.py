# SPDX-License-Identifier: Apache-2.0
"""Starts MiniStack, an emulator of AWS, with stand-ins for what our template has and it does not know.

A stand-in only remembers that the resource is there. The scalable target refuses what Application Auto Scaling refuses.
"""

from ministack.app import main
from ministack.services.cloudformation import provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS


def scalable_target(logical_id, props, stack_name):
    if int(props["MinCapacity"]) > int(props["MaxCapacity"]):
        raise ValueError("Maximum capacity cannot be less than minimum capacity")
    return stand_in(logical_id, props, stack_name)


def stand_in(logical_id, props, stack_name):
    name = f"{stack_name}-{logical_id}"
    return name, {"Id": name, "Arn": f"arn:aws:stand-in:::{name}"}


def handlers(create):
    def update(physical_id, old, new, stack_name, logical_id=None):
        return physical_id, create(physical_id, new, stack_name)[1]

    return {"create": create, "update": update, "delete": lambda physical_id, props: None}


for resource_type, create in {
    "AWS::ApplicationAutoScaling::ScalableTarget": scalable_target,
    "AWS::ApplicationAutoScaling::ScalingPolicy": stand_in,
    "AWS::EC2::FlowLog": stand_in,
    "AWS::Logs::QueryDefinition": stand_in,
}.items():
    HANDLERS.setdefault(resource_type, handlers(create))

# MiniStack has alarms of one metric, not those of several.
alarm = dict(HANDLERS["AWS::CloudWatch::Alarm"])
math = handlers(stand_in)


def with_math(name, props_at):
    def call(*args):
        return (math if "Metrics" in args[props_at] else alarm)[name](*args)

    return call


HANDLERS["AWS::CloudWatch::Alarm"] = {
    **alarm,
    "create": with_math("create", 1),
    "update": with_math("update", 2),
    "delete": with_math("delete", 1),
}

main()
