// SPDX-License-Identifier: Apache-2.0

import { serve } from "./frames.mts";
import { judge } from "./rule.mts";

serve(judge);
